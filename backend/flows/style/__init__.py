"""Style transfer as verbs: pictures painted like others, alone or as a step of a recipe."""
