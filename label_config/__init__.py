"""Label Studio labelling configs and augmentation recipes that ship with LabelLoom, as data files."""
