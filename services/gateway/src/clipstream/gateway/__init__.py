"""HTTP in, commands and queries out; the projector folds events into the read model"""
