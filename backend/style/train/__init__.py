"""Training the compact engine's decoder. The only place here that needs torch, beside the `vgg` engine."""
