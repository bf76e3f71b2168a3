"""Read what users pass in: parameters, gradients, numbers, tensors, files."""
