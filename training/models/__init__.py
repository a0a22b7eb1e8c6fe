"""The networks, in plain PyTorch, with the state-dict keys of the public checkpoints.

`rtmpose.build` and `rtmdet.build` give modules; `inputs.normalise_input` turns the served uint8
images into what their first convolution reads, in training and in the exported graph alike.
"""
