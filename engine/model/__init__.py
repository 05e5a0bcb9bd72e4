"""Language models: loading, decoder blocks, chat templates, text. Nothing here steers."""
