"""What a network's INT8 PSNR would be after a full training, told from a short one."""
