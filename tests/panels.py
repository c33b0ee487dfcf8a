"""What the tests of all explorers need."""


def parts(panel):
    """An explorer's controls, its picture, and the sentence below."""
    controls, picture, sentence = panel.children
    return controls.children, picture, sentence
