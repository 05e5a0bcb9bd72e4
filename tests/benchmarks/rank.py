def measure(o):
    return []
