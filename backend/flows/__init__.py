"""The product's verbs, one file each: the only place that joins formats, augment, store and connectors."""
