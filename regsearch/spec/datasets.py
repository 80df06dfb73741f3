"""The datasets a spec may name: which images, how many of them, and how noisy their labels are made."""

from typing import Annotated, Literal, get_args

from pydantic import Field, GetPydanticSchema, ValidationInfo, field_validator, model_validator
from pydantic.annotated_handlers import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from regsearch.spec.values import Flag, Fraction, Integer, Pair, Positive, Section, Text, wrong

DownloadedName = Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]
DatasetName = Literal["digits", DownloadedName, "npz", "images", "planted"]
DOWNLOADED: tuple[str, ...] = get_args(DownloadedName)
"""The datasets that come over the network, unless a `path` says where they lie already."""

_UNSAID = {"path": None, "size": None, "exponent": None, "draws": 1}
"""Keys of some datasets that may stand with the others, as long as they say nothing."""


class DatasetBase(Section):
    """What is said of every dataset."""

    name: DatasetName
    """A dataset by name (`regsearch datasets` lists them), or npz or images for your own."""
    train: Positive | None = None
    """Training images; or grid.train_sizes for several numbers of them."""
    validation: Positive
    """Validation images: they choose lambda."""
    test: Positive
    """Test images: they are only ever reported."""
    label_noise: Fraction = 0.0
    """The share of training and validation labels redrawn at random; test labels stay clean."""
    validation_noise: Fraction | None = None
    """The share of validation labels redrawn; by default that of label_noise. 0 chooses lambda by clean labels."""
    standardise: Flag = False
    """Takes each channel's mean and deviation over the training images out of all images."""

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_unsaid(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        unsaid = _UNSAID.keys() - cls.model_fields.keys()
        return {key: item for key, item in value.items() if key not in unsaid or item != _UNSAID[key]}


class Digits(DatasetBase):
    """The digits of scikit-learn."""

    name: Literal["digits"]
    """Built in."""


class Downloaded(DatasetBase):
    """A dataset that is downloaded once."""

    name: DownloadedName
    """One that Keras has, too."""
    path: Text | None = None
    """The file, or folder of files, where it is here already."""


class Npz(DatasetBase):
    """A file of your own with arrays of images and labels or targets."""

    name: Literal["npz"]
    """Arrays of your own."""
    path: Text
    """The .npz file."""


class ImageFolder(DatasetBase):
    """A folder of your own with a folder of images for each class."""

    name: Literal["images"]
    """Images of your own."""
    path: Text
    """The folder of images."""
    size: Pair
    """What the images are resized to, [height, width]."""
    color: Literal["rgb", "grayscale"] = "rgb"
    """What the images are read as."""


class Planted(DatasetBase):
    """Made-up data, of which the best L2 lambda goes with the weights by a known exponent.

    The report parts the seeds into studies of their own and says how well these find the exponent.
    """

    name: Literal["planted"]
    """Made up."""
    label_noise: Annotated[Fraction, Field(json_schema_extra={"const": 0})] = 0.0
    """None: the targets are numbers."""
    validation_noise: Annotated[Fraction | None, Field(json_schema_extra={"const": 0})] = None
    """None, likewise."""
    standardise: Annotated[Flag, Field(json_schema_extra={"const": False})] = False
    """False: the images are drawn standardised."""
    exponent: Annotated[Integer, Field(ge=-1, le=1)]
    """The best lambda goes with the number of weights to this power: -1, 0 or 1."""
    draws: Positive = 1
    """How many studies the seeds are parted into."""

    @field_validator("label_noise", "validation_noise", "standardise")
    @classmethod
    def _is_off(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value:
            reason = "images are drawn standardised" if info.field_name == "standardise" else "targets are numbers"
            raise wrong(f"no `{info.field_name}` with the dataset planted, whose {reason}")
        return value


_MODELS: tuple[type[DatasetBase], ...] = (Digits, Downloaded, Npz, ImageFolder, Planted)
DATASETS = {name: model for model in _MODELS for name in get_args(model.model_fields["name"].annotation)}
"""The models by the names of the datasets."""


class _Unnamed(DatasetBase, extra="ignore"):
    """A dataset without a right name, whose other mistakes are told all the same."""


def _choose_by_name(_: object, handler: GetCoreSchemaHandler) -> CoreSchema:
    models = {f":{name}": handler.generate_schema(model) for name, model in DATASETS.items()}

    def tag(dataset: object) -> str:
        return f":{dataset.get('name') if isinstance(dataset, dict) else getattr(dataset, 'name', None)}"

    def check_name(dataset: object) -> object:
        return dataset if tag(dataset) in models else _Unnamed.model_validate(dataset)

    return core_schema.no_info_before_validator_function(check_name, core_schema.tagged_union_schema(models, tag))


Dataset = Annotated[Digits | Downloaded | Npz | ImageFolder | Planted, GetPydanticSchema(_choose_by_name)]
