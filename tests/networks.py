"""Networks of every layer that a spec may name, as changes to the small spec."""

from conftest import SPEC

LAYERS = SPEC[SPEC.index("    - Conv2D") : SPEC.index("grid:")]

NETWORKS = {
    "a convolution": "Conv2D: {filters: width, kernel_size: 3}|Flatten",
    "uneven kernel, strides, same": "Conv2D: {filters: width, kernel_size: [2, 5], strides: [2, 3], padding: same}|Flatten",
    "strides, valid": "Conv2D: {filters: width, kernel_size: [3, 2], strides: 2}|Flatten",
    "1x1 kernel": "Conv2D: {filters: width, kernel_size: 3}|Conv2D: {filters: 2*width, kernel_size: 1}|Flatten",
    "no bias": "Conv2D: {filters: width, kernel_size: 3, use_bias: false}|Flatten",
    "initializer": "Conv2D: {filters: width, kernel_size: 3, kernel_initializer: he_normal}|Flatten",
    "activations": "Conv2D: {filters: width, kernel_size: 3, activation: tanh}|Activation: {activation: gelu}|Flatten",
    "two convolutions": "Conv2D: {filters: width, kernel_size: 3, activation: relu}|"
    "Conv2D: {filters: 2*width, kernel_size: 3, padding: same, activation: elu}|Flatten",
    "max pooling": "Conv2D: {filters: width, kernel_size: 3}|MaxPooling2D|Flatten",
    "max pooling, same": "Conv2D: {filters: width, kernel_size: 3}|"
    "MaxPooling2D: {pool_size: 3, strides: 2, padding: same}|Flatten",
    "average pooling": "Conv2D: {filters: width, kernel_size: 3}|AveragePooling2D: {pool_size: [2, 3]}|Flatten",
    "average pooling, same": "Conv2D: {filters: width, kernel_size: 3}|"
    "AveragePooling2D: {pool_size: 3, strides: 2, padding: same}|Flatten",
    "pooling the input": "AveragePooling2D|Conv2D: {filters: width, kernel_size: 2}|Flatten",
    "global max": "Conv2D: {filters: width, kernel_size: 3, activation: relu}|GlobalMaxPooling2D",
    "global average": "Conv2D: {filters: width, kernel_size: 3, activation: relu}|GlobalAveragePooling2D",
    "dense layers": "Flatten|Dense: {units: 2*width, activation: relu}|Dense: {units: width, activation: tanh}",
    "dense over channels": "Conv2D: {filters: width, kernel_size: 3}|Dense: {units: 2*width, activation: relu}|Flatten",
    "dropout": "Conv2D: {filters: width, kernel_size: 3}|Dropout: {rate: 0.3}|Flatten|Dropout: {rate: 0.2}",
    "dropout of the input": "Dropout: {rate: 0.3}|Conv2D: {filters: width, kernel_size: 3}|Flatten",
    "batch normalization": "Conv2D: {filters: width, kernel_size: 3}|BatchNormalization: {momentum: 0.8}|Flatten",
    "batch normalization of the input": "BatchNormalization: {scale: false}|Conv2D: {filters: width, kernel_size: 3}|Flatten",
    "depthwise": "DepthwiseConv2D: {kernel_size: [2, 3], depth_multiplier: width, strides: 2, padding: same}|"
    "DepthwiseConv2D: {kernel_size: 2, depth_multiplier: 2, dilation_rate: [2, 1], use_bias: false, activation: relu}|Flatten",
    "separable": "SeparableConv2D: {filters: width, kernel_size: [3, 2], strides: [2, 1], padding: same, pointwise_initializer: he_normal}|"
    "SeparableConv2D: {filters: 2*width, kernel_size: 3, depth_multiplier: 2, activation: tanh}|Flatten",
    "dilation": "Conv2D: {filters: width, kernel_size: [3, 2], dilation_rate: [2, 3]}|"
    "Conv2D: {filters: width, kernel_size: 3, dilation_rate: 2, padding: same}|Flatten",
    "groups": "Conv2D: {filters: 2*width, kernel_size: 3}|Conv2D: {filters: 4, kernel_size: 2, groups: 2, strides: [1, 2]}|"
    "Conv2D: {filters: 8, kernel_size: 2, groups: 4}|Flatten",
    "padding and spatial dropout": "ZeroPadding2D|SpatialDropout2D: {rate: 0.4}|Conv2D: {filters: width, kernel_size: 3}|"
    "SpatialDropout2D: {rate: 0.4}|ZeroPadding2D: {padding: [[0, 2], [1, 3]]}|Flatten",
    "layer normalization": "Conv2D: {filters: width, kernel_size: 3}|LayerNormalization: {epsilon: 0.01}|Flatten|"
    "Dense: {units: width}|LayerNormalization: {center: false}",
    "layer normalization of the input": "LayerNormalization: {epsilon: 0.1}|Flatten|LayerNormalization: {scale: false}|Dense: {units: width}",
    "residual": "Conv2D: {filters: width, kernel_size: 3}|"
    "Residual: [Conv2D: {filters: width, kernel_size: 3, padding: same, activation: relu}, Conv2D: {filters: width, kernel_size: 1}]|"
    "Flatten|Residual: [Dropout: {rate: 0.2}]",
    "residual in residual": "Residual: [Conv2D: {filters: 1, kernel_size: 3, padding: same}, Dropout: {rate: 0.2}, "
    "Residual: [BatchNormalization: {momentum: 0.8}, DepthwiseConv2D: {kernel_size: 3, padding: same}]]|Conv2D: {filters: width, kernel_size: 3}|Flatten",
    "batch normalization of features": "Conv2D: {filters: width, kernel_size: 3}|Flatten|BatchNormalization: {center: false}",
}  # fmt: skip


def layers(text):
    """The change of the small spec's layers to these, with the last that gives the classes."""
    lines = "".join(f"    - {layer}\n" for layer in [*text.split("|"), "Dense: {units: classes}"])
    return LAYERS, lines
