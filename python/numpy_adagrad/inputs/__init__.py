"""Read and check arguments: parameters, gradients, numbers, tensors, memory-mapped files."""
