<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en" sourcelanguage="en">
<context>
    <name></name>
    <message numerus="yes">
        <source>With the model&apos;s own marks it has {0:,} token(s), and the model can take {1:,}.</source>
        <translation>
            <numerusform>With the model&apos;s own marks it has {0:,} token, and the model can take {1:,}.</numerusform>
            <numerusform>With the model&apos;s own marks it has {0:,} tokens, and the model can take {1:,}.</numerusform>
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
        <source>The figures of %n answer(s) are damaged, the text is here: {0}.</source>
        <translation>
            <numerusform>The figures of %n answer are damaged, the text is here: {0}.</numerusform>
            <numerusform>The figures of %n answers are damaged, the text is here: {0}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n token(s), {0}</source>
        <translation>
            <numerusform>%n token, {0}</numerusform>
            <numerusform>%n tokens, {0}</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>AnswerColumn</name>
    <message numerus="yes">
        <source>The model did not read the first %n turn(s): there was no room in its context.</source>
        <translation>
            <numerusform>The model did not read the first turn: there was no room in its context.</numerusform>
            <numerusform>The model did not read the first %n turns: there was no room in its context.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Answering</name>
    <message numerus="yes">
        <source>%n later turn(s) went too; Ctrl+Z brings all back.</source>
        <translation>
            <numerusform>%n later turn went too; Ctrl+Z brings all back.</numerusform>
            <numerusform>%n later turns went too; Ctrl+Z brings all back.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Banner</name>
    <message numerus="yes">
        <source>%n more message(s)</source>
        <translation>
            <numerusform>%n more message</numerusform>
            <numerusform>%n more messages</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>BlockRow</name>
    <message numerus="yes">
        <source>%n token(s), from {0:.2f} to {1:.2f}</source>
        <translation>
            <numerusform>%n token, from {0:.2f} to {1:.2f}</numerusform>
            <numerusform>%n tokens, from {0:.2f} to {1:.2f}</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Compiling</name>
    <message numerus="yes">
        <source>%n lane(s) at once</source>
        <translation>
            <numerusform>%n lane at once</numerusform>
            <numerusform>%n lanes at once</numerusform>
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
        <source>room for {0:,} token(s)</source>
        <translation>
            <numerusform>room for {0:,} token</numerusform>
            <numerusform>room for {0:,} tokens</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>The model would read {0:,} token(s) and may answer with {1:,}.</source>
        <translation>
            <numerusform>The model would read {0:,} token and may answer with {1:,}.</numerusform>
            <numerusform>The model would read {0:,} tokens and may answer with {1:,}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>There is no room for everything: the oldest %n turn(s) would be left out.</source>
        <translation>
            <numerusform>There is no room for everything: the oldest turn would be left out.</numerusform>
            <numerusform>There is no room for everything: the oldest %n turns would be left out.</numerusform>
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
    <name>Inspector</name>
    <message numerus="yes">
        <source>added by %n head(s) together, per block</source>
        <translation>
            <numerusform>added by %n head together, per block</numerusform>
            <numerusform>added by %n heads together, per block</numerusform>
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
        <source>%n answer(s) without a score, left out of the averages.</source>
        <translation>
            <numerusform>%n answer without a score, left out of the averages.</numerusform>
            <numerusform>%n answers without a score, left out of the averages.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Judge: {0}; on %n answer(s) judged twice it differs from itself by {1} (trait), {2} (coherence).</source>
        <translation>
            <numerusform>Judge: {0}; on %n answer judged twice it differs from itself by {1} (trait), {2} (coherence).</numerusform>
            <numerusform>Judge: {0}; on %n answers judged twice it differs from itself by {1} (trait), {2} (coherence).</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Mixer</name>
    <message numerus="yes">
        <source>The preset “{0}” also sets %n head(s) that the mixer does not hold.</source>
        <translation>
            <numerusform>The preset “{0}” also sets %n head that the mixer does not hold.</numerusform>
            <numerusform>The preset “{0}” also sets %n heads that the mixer does not hold.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>ModelPicker</name>
    <message numerus="yes">
        <source>{architecture}, %n block(s); file {size}, at work {needs} in {dtype}: {fits}</source>
        <translation>
            <numerusform>{architecture}, %n block; file {size}, at work {needs} in {dtype}: {fits}</numerusform>
            <numerusform>{architecture}, %n blocks; file {size}, at work {needs} in {dtype}: {fits}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{id}: {architecture}, %n block(s), {size} to fetch ({here} are here already). Runs in {dtype} with {needs}; {free} are free: {fits}.</source>
        <translation>
            <numerusform>{id}: {architecture}, %n block, {size} to fetch ({here} are here already). Runs in {dtype} with {needs}; {free} are free: {fits}.</numerusform>
            <numerusform>{id}: {architecture}, %n blocks, {size} to fetch ({here} are here already). Runs in {dtype} with {needs}; {free} are free: {fits}.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>RecoveryDialog</name>
    <message numerus="yes">
        <source>a conversation of %n turn(s), the last: “{0}”</source>
        <translation>
            <numerusform>a conversation of one turn, the last: “{0}”</numerusform>
            <numerusform>a conversation of %n turns, the last: “{0}”</numerusform>
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
        <source>%n head(s) in the mixer, as strong as they were: {0}</source>
        <translation>
            <numerusform>%n head in the mixer, as strong as it was: {0}</numerusform>
            <numerusform>%n heads in the mixer, as strong as they were: {0}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n preset(s) of strengths</source>
        <translation>
            <numerusform>%n preset of strengths</numerusform>
            <numerusform>%n presets of strengths</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Sparkline</name>
    <message numerus="yes">
        <source>Training loss from {0:.3g} to {1:.3g} in %n step(s)</source>
        <translation>
            <numerusform>Training loss from {0:.3g} to {1:.3g} in %n step</numerusform>
            <numerusform>Training loss from {0:.3g} to {1:.3g} in %n steps</numerusform>
        </translation>
    </message>
</context>
</TS>
