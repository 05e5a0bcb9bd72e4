<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en" sourcelanguage="en">
<context>
    <name></name>
    <message numerus="yes">
        <source>%n turn(s) hold values that cannot be stored.</source>
        <translation>
            <numerusform>%n turn holds values that cannot be stored.</numerusform>
            <numerusform>%n turns hold values that cannot be stored.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n turn(s) of “{0}” cannot be read: {1}.</source>
        <translation>
            <numerusform>%n turn of “{0}” cannot be read: {1}.</numerusform>
            <numerusform>%n turns of “{0}” cannot be read: {1}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>The traces of %n answer(s) are damaged; the text is here: {0}.</source>
        <translation>
            <numerusform>The trace of %n answer is damaged; the text is here: {0}.</numerusform>
            <numerusform>The traces of %n answers are damaged; the text is here: {0}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n token(s), {0}</source>
        <translation>
            <numerusform>%n token, {0}</numerusform>
            <numerusform>%n tokens, {0}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Too long: {0:,} token(s) with the chat template, but the model&apos;s context is {1:,}.</source>
        <translation>
            <numerusform>Too long: {0:,} token with the chat template, but the model&apos;s context is {1:,}.</numerusform>
            <numerusform>Too long: {0:,} tokens with the chat template, but the model&apos;s context is {1:,}.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>AnswerColumn</name>
    <message numerus="yes">
        <source>The first %n turn(s) did not fit the model&apos;s context and were left out.</source>
        <translation>
            <numerusform>The first turn did not fit the model&apos;s context and was left out.</numerusform>
            <numerusform>The first %n turns did not fit the model&apos;s context and were left out.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>AnswerController</name>
    <message numerus="yes">
        <source>%n later turn(s) removed. Ctrl+Z restores them.</source>
        <translation>
            <numerusform>%n later turn removed. Ctrl+Z restores it.</numerusform>
            <numerusform>%n later turns removed. Ctrl+Z restores them.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>BlockStrip</name>
    <message numerus="yes">
        <source>%n token(s), from {0:.2f} to {1:.2f}</source>
        <translation>
            <numerusform>%n token, from {0:.2f} to {1:.2f}</numerusform>
            <numerusform>%n tokens, from {0:.2f} to {1:.2f}</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>ContextMeter</name>
    <message numerus="yes">
        <source>{0:,} token(s)</source>
        <translation>
            <numerusform>{0:,} token</numerusform>
            <numerusform>{0:,} tokens</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{0:,} token(s) too long</source>
        <translation>
            <numerusform>{0:,} token too long</numerusform>
            <numerusform>{0:,} tokens too long</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n turn(s) left out</source>
        <translation>
            <numerusform>%n turn left out</numerusform>
            <numerusform>%n turns left out</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{0:,} token(s) left</source>
        <translation>
            <numerusform>{0:,} token left</numerusform>
            <numerusform>{0:,} tokens left</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Context: {0:,} token(s) in the prompt + up to {1:,} in the answer.</source>
        <translation>
            <numerusform>Context: {0:,} token in the prompt + up to {1:,} in the answer.</numerusform>
            <numerusform>Context: {0:,} tokens in the prompt + up to {1:,} in the answer.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Context: {0:,} token(s) in the prompt + up to {1:,} in the answer, out of {2:,}.</source>
        <translation>
            <numerusform>Context: {0:,} token in the prompt + up to {1:,} in the answer, out of {2:,}.</numerusform>
            <numerusform>Context: {0:,} tokens in the prompt + up to {1:,} in the answer, out of {2:,}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>The oldest %n turn(s) will be left out to fit.</source>
        <translation>
            <numerusform>The oldest turn will be left out to fit.</numerusform>
            <numerusform>The oldest %n turns will be left out to fit.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>FailureBanner</name>
    <message numerus="yes">
        <source>%n more message(s)</source>
        <translation>
            <numerusform>%n more message</numerusform>
            <numerusform>%n more messages</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Header</name>
    <message numerus="yes">
        <source>{device} {dtype}  ·  %n block(s)  ·  {size}</source>
        <translation>
            <numerusform>{device} {dtype}  ·  %n block  ·  {size}</numerusform>
            <numerusform>{device} {dtype}  ·  %n blocks  ·  {size}</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>LabPage</name>
    <message numerus="yes">
        <source>{0}, strength {1}: %n answer(s){2}</source>
        <translation>
            <numerusform>{0}, strength {1}: %n answer{2}</numerusform>
            <numerusform>{0}, strength {1}: %n answers{2}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n answer(s) could not be scored and are excluded.</source>
        <translation>
            <numerusform>%n answer could not be scored and is excluded.</numerusform>
            <numerusform>%n answers could not be scored and are excluded.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Judge: {0}. Scoring %n answer(s) twice, it differed by {1} (trait) and {2} (coherence) on average.</source>
        <translation>
            <numerusform>Judge: {0}. Scoring %n answer twice, it differed by {1} (trait) and {2} (coherence) on average.</numerusform>
            <numerusform>Judge: {0}. Scoring %n answers twice, it differed by {1} (trait) and {2} (coherence) on average.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>LossCurve</name>
    <message numerus="yes">
        <source>Training loss from {0:.3g} to {1:.3g} in %n step(s)</source>
        <translation>
            <numerusform>Training loss from {0:.3g} to {1:.3g} in %n step</numerusform>
            <numerusform>Training loss from {0:.3g} to {1:.3g} in %n steps</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>MixerPanel</name>
    <message numerus="yes">
        <source>The preset “{0}” also sets %n head(s) not in the mixer.</source>
        <translation>
            <numerusform>The preset “{0}” also sets %n head not in the mixer.</numerusform>
            <numerusform>The preset “{0}” also sets %n heads not in the mixer.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>ModelPicker</name>
    <message numerus="yes">
        <source>{architecture}, %n block(s) – {size} on disk, {needs} in memory ({dtype}) – {fits}</source>
        <translation>
            <numerusform>{architecture}, %n block – {size} on disk, {needs} in memory ({dtype}) – {fits}</numerusform>
            <numerusform>{architecture}, %n blocks – {size} on disk, {needs} in memory ({dtype}) – {fits}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{id}: {architecture}, %n block(s). Download: {size} ({here} already here). Memory: {needs} in {dtype}, {free} free – {fits}.</source>
        <translation>
            <numerusform>{id}: {architecture}, %n block. Download: {size} ({here} already here). Memory: {needs} in {dtype}, {free} free – {fits}.</numerusform>
            <numerusform>{id}: {architecture}, %n blocks. Download: {size} ({here} already here). Memory: {needs} in {dtype}, {free} free – {fits}.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>RestoreDialog</name>
    <message numerus="yes">
        <source>a conversation of %n turn(s), the last one “{0}”</source>
        <translation>
            <numerusform>a conversation of %n turn, the last one “{0}”</numerusform>
            <numerusform>a conversation of %n turns, the last one “{0}”</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>a comparison of %n answer(s): “{0}”</source>
        <translation>
            <numerusform>a comparison of %n answer: “{0}”</numerusform>
            <numerusform>a comparison of %n answers: “{0}”</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n head(s) in the mixer with their strengths: {0}</source>
        <translation>
            <numerusform>%n head in the mixer with its strength: {0}</numerusform>
            <numerusform>%n heads in the mixer with their strengths: {0}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n preset(s)</source>
        <translation>
            <numerusform>%n preset</numerusform>
            <numerusform>%n presets</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>StepCompiler</name>
    <message numerus="yes">
        <source>%n answer(s) at once</source>
        <translation>
            <numerusform>%n answer at once</numerusform>
            <numerusform>%n answers at once</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>TokenPanel</name>
    <message numerus="yes">
        <source>combined coefficient of %n head(s), per block</source>
        <translation>
            <numerusform>combined coefficient of %n head, per block</numerusform>
            <numerusform>combined coefficient of %n heads, per block</numerusform>
        </translation>
    </message>
</context>
</TS>
