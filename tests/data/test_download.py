"""Datasets that come over the network: whole or not at all, once, and from wherever they lie already."""

import gzip
import hashlib
import io
import os
import pickle
import re
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import parsed
from opened_files import count_opened

from regsearch import data as datasets
from regsearch.cli import main
from regsearch.data import archives, download
from regsearch.errors import DatasetError

NAMES = ["mnist", "fashion_mnist", "cifar10", "cifar100"]
TRAIN, TEST = 200, 60


def pixels(name, count, seed):
    image = archives.NAMED[name].image
    return np.random.default_rng(seed).integers(0, 256, (count, *image), dtype=np.uint8)


def labels(name, count):
    return np.arange(count) % archives.NAMED[name].outputs


class Python2(pickle._Pickler):
    """Pickles as Python 2 did, with which the archives were made: all text and bytes as its one `str`."""

    def _save_str(self, text):
        text = text.encode() if isinstance(text, str) else text
        self.write(pickle.BINSTRING + len(text).to_bytes(4, "little") + text)

    dispatch = pickle._Pickler.dispatch | {str: _save_str, bytes: _save_str}


def pickled(content):
    stream = io.BytesIO()
    Python2(stream, protocol=2).dump(content)
    return stream.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def tar(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(head + array.astype(np.uint8).tobytes(), mtime=0)


def batch(images, classes, key):
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return pickled({"data": planes, key: classes.tolist(), "batch_label": "made by a test"})


def made(name):
    """The files of a small dataset in the format of the real one."""
    train, test = pixels(name, TRAIN, 0), pixels(name, TEST, 1)
    y, test_y = labels(name, TRAIN), labels(name, TEST)
    if name == "mnist":
        stream = io.BytesIO()
        np.savez(stream, x_train=train[..., 0], y_train=y, x_test=test[..., 0], y_test=test_y)
        return [stream.getvalue()]
    if name == "fashion_mnist":
        return [idx(train[..., 0]), idx(y), idx(test[..., 0]), idx(test_y)]
    if name == "cifar10":
        parts = zip(np.split(train, 5), np.split(y, 5), strict=True)
        files = {f"data_batch_{n}": batch(*part, "labels") for n, part in enumerate(parts, 1)}
        files = {"readme.html": b"", **files, "test_batch": batch(test, test_y, "labels")}
        return [tar({f"cifar-10-batches-py/{file}": content for file, content in files.items()})]
    files = {"train": batch(train, y, "fine_labels"), "test": batch(test, test_y, "fine_labels")}
    return [tar({f"cifar-100-python/{file}": content for file, content in files.items()})]


class Server:
    """Serves files on the loopback address; `cut` ends each after half of it, `status` refuses them."""

    def __init__(self):
        self.files, self.cut, self.status, self.served = {}, False, 200, []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.removeprefix("/")
                server.served.append(name)
                content = server.files[name]
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if server.cut else content)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def close(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of small datasets under their real names; the cache and Keras's cache are empty folders."""
    monkeypatch.setenv("REGSEARCH_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made_up = Server()
    for name in NAMES:
        files = []
        for file, content in zip(download.FILES[name], made(name), strict=True):
            made_up.files[file.name] = content
            algorithm = file.checksum.partition(":")[0]
            checksum = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
            files.append(download.File(file.name, f"{made_up.url}/{file.name}", checksum, file.in_keras))
        monkeypatch.setitem(download.FILES, name, tuple(files))
    yield made_up
    made_up.close()


def spec(name, path=None):
    more = "" if path is None else f"\n  path: {path}"
    return parsed(("name: digits", f"name: {name}{more}"), ("train: 64", "train: 100"))


def assert_whole(name, loaded):
    for (x, y), count, seed in ((loaded.pool, TRAIN, 0), (loaded.test, TEST, 1)):
        assert x.dtype == np.uint8
        assert (x == pixels(name, count, seed)).all()
        assert y.tolist() == labels(name, count).tolist()
    assert loaded.outputs == archives.NAMED[name].outputs


def kept(tmp_path):
    """What is in the cache, locks aside."""
    return sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.name != ".lock")


@pytest.mark.parametrize("name", NAMES)
def test_a_dataset_is_downloaded_once_and_then_read_without_the_network(server, tmp_path, name):
    assert_whole(name, datasets.load(spec(name)))
    assert kept(tmp_path) == sorted(server.served) == sorted(file.name for file in download.FILES[name])
    server.close()
    assert_whole(name, datasets.load(spec(name)))


@pytest.mark.usefixtures("server")
def test_downloaded_images_are_scaled_to_one_where_they_are_trained_on():
    split = datasets.split(datasets.load(spec("cifar10")), spec("cifar10").dataset, 100, seed=0)
    assert split.train[0].dtype == np.float32
    assert (split.train[0].min(), split.train[0].max()) == (0, 1)
    assert (len(split.train[0]), len(split.validation[0]), len(split.test[0])) == (100, 50, 50)


WRONG = {
    "another checksum": (
        lambda server: server.files.update(dict.fromkeys(server.files, b"not it")),
        "with another checksum than .*: damaged on its way, or changed. It was thrown away",
    ),
    "a cut download": (lambda server: setattr(server, "cut", True), "a download that was cut short. Run the same"),
    "no network": (lambda server: server.close(), r"no connection \(Connection refused\). Check the network, or"),
    "a server that refuses": (lambda server: setattr(server, "status", 503), "got 503 Service Unavailable from the"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_download_that_fails_is_one_clear_error_and_leaves_nothing(server, tmp_path, name, wrong):
    fail, words = WRONG[wrong]
    fail(server)
    expected = rf"^tiny.yaml:3: dataset.name: expected the dataset {name} from the cache .* or by download of http.*"
    with pytest.raises(DatasetError, match=expected + words) as refused:
        datasets.load(spec(name))
    assert "name the f" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert kept(tmp_path) == []


@pytest.mark.parametrize("wrong", WRONG)
def test_a_failed_download_ends_a_run_with_exit_3_and_no_traceback(server, tmp_path, monkeypatch, spec_file, wrong):
    WRONG[wrong][0](server)
    monkeypatch.chdir(tmp_path)
    path = spec_file(("name: digits", "name: mnist"))
    result = CliRunner().invoke(main, ["run", str(path), "--workers", "inline"])
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1].startswith(
        f"regsearch: error: {path}:3: dataset.name: expected the dataset"
    )
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.usefixtures("server")
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path, monkeypatch):
    import pooch

    class Full(pooch.HTTPDownloader):
        def __call__(self, _, output_file, *__):
            Path(output_file).write_bytes(b"some")
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(pooch, "HTTPDownloader", Full)
    with pytest.raises(DatasetError, match=r"got No space left on device. Make room, or name .* \$REGSEARCH_DATA"):
        datasets.load(spec("mnist"))
    assert kept(tmp_path) == []


@pytest.mark.usefixtures("server")
def test_a_cache_that_cannot_be_made_is_one_clear_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REGSEARCH_DATA", str(tmp_path / "file" / "cache"))
    with pytest.raises(DatasetError, match=r"got Not a directory. Make room, or name a folder"):
        datasets.load(spec("mnist"))


def test_a_damaged_file_in_the_cache_is_fetched_again_and_left_until_then(server, tmp_path):
    datasets.load(spec("mnist"))
    (path,) = (tmp_path / "cache").rglob("mnist.npz")
    path.write_bytes(path.read_bytes()[:-1])
    server.cut = True
    with pytest.raises(DatasetError, match="cut short"):
        datasets.load(spec("mnist"))
    server.cut = False
    assert_whole("mnist", datasets.load(spec("mnist")))
    assert server.served == ["mnist.npz"] * 3


@pytest.mark.usefixtures("server")
def test_what_a_killed_download_left_is_cleared_away(tmp_path):
    (tmp_path / "cache" / "mnist").mkdir(parents=True)
    (tmp_path / "cache" / "mnist" / "tmp8h2x_0ab").write_bytes(b"half")
    datasets.load(spec("mnist"))
    assert kept(tmp_path) == ["mnist.npz"]


def test_two_at_once_download_it_once_and_both_have_it_whole(server):
    with ThreadPoolExecutor(4) as pool:
        for loaded in pool.map(datasets.load, [spec("fashion_mnist")] * 4):
            assert_whole("fashion_mnist", loaded)
    assert len(server.served) == 4


IN_KERAS = {
    "mnist": ["mnist.npz"],
    "fashion_mnist": [f"fashion-mnist/{file.name}" for file in download.FILES["fashion_mnist"]],
    "cifar10": ["cifar-10-batches-py-target_archive"],
    "cifar100": ["cifar-100-python-target_archive"],
}


@pytest.mark.parametrize("name", NAMES)
def test_what_keras_has_downloaded_already_is_used_if_it_is_whole(server, tmp_path, name):
    for place, file in zip(IN_KERAS[name], download.FILES[name], strict=True):
        path = tmp_path / "keras" / "datasets" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(server.files[file.name])
    assert_whole(name, datasets.load(spec(name)))
    assert server.served == []
    path.write_bytes(b"damaged")
    assert_whole(name, datasets.load(spec(name)))
    assert server.served == [download.FILES[name][-1].name]
    assert path.read_bytes() == b"damaged"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_here_already_may_be_named_and_is_the_same_data(server, tmp_path, name):
    for file in download.FILES[name]:
        (tmp_path / file.name).write_bytes(server.files[file.name])
    path = tmp_path if len(download.FILES[name]) > 1 else tmp_path / file.name
    assert_whole(name, datasets.load(spec(name, path)))
    assert datasets.describe(spec(name, path)) == datasets.describe(spec(name))
    assert server.served == []
    (tmp_path / file.name).write_bytes(b"another")
    words = rf"^tiny.yaml:4: dataset.path: {tmp_path}/.*: expected .* with the checksum .*, got another file"
    for look in (datasets.describe, datasets.load):
        with pytest.raises(DatasetError, match=words):
            look(spec(name, path))
    (tmp_path / file.name).unlink()
    with pytest.raises(
        DatasetError, match=f"{file.name}: expected the file {file.name} of {name}, got nothing there"
    ):
        datasets.describe(spec(name, path))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_read_once_for_its_checksum_and_once_for_its_images(server, tmp_path, name):
    files = [file.name for file in download.FILES[name]]
    for file in files:
        (tmp_path / file).write_bytes(server.files[file])
    own = spec(name, tmp_path if len(files) > 1 else tmp_path / file)
    with count_opened(tmp_path) as opened:
        for _ in range(3):
            datasets.describe(own), assert_whole(name, datasets.load(own))
    assert opened == dict.fromkeys(files, 2)


@pytest.mark.usefixtures("server")
def test_a_path_of_the_wrong_kind_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="expected the file mnist.npz of mnist, got a folder"):
        datasets.describe(spec("mnist", tmp_path))
    with pytest.raises(DatasetError, match="expected the folder of train-images.*, got nothing there"):
        datasets.describe(spec("fashion_mnist", tmp_path / "none"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(
        DatasetError, match="expected the file cifar-10-python.tar.gz of cifar10, got no regular file"
    ):
        datasets.describe(spec("cifar10", tmp_path / "pipe"))


def test_progress_is_told_from_the_first_bytes_to_the_last(server):
    told = []
    datasets.load(spec("mnist"), lambda *now: told.append(now))
    size = len(server.files["mnist.npz"])
    assert {name for name, *_ in told} == {"mnist.npz"}
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert told[-1] == ("mnist.npz", size, size)


@pytest.mark.usefixtures("server")
def test_a_download_that_is_stopped_leaves_nothing(tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        datasets.load(spec("mnist"), stop)
    assert kept(tmp_path) == []
    assert_whole("mnist", datasets.load(spec("mnist")))


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(("options", "said"), [([], True), (["--quiet"], False)])
def test_a_run_says_what_it_downloads_on_stderr_unless_quiet(spec_file, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("regsearch.study._warn_of_untrained_classes", lambda *_: sys.exit(9))  # as far as it matters
    result = CliRunner().invoke(main, ["run", str(spec_file(("name: digits", "name: mnist"))), *options])
    assert result.exit_code == 9
    assert (re.search(r"^downloading mnist.npz: 0 MiB$", result.stderr, re.MULTILINE) is not None) == said
    assert result.stdout == ""


def test_pickles_that_call_anything_are_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    with pytest.raises(pickle.UnpicklingError, match="expected plain arrays, got .*mkdir"):
        archives.unpickle(io.BytesIO(pickle.dumps({b"data": Evil()})))
    assert not (tmp_path / "evil").exists()


def test_the_named_datasets_need_no_tensorflow(server, tmp_path):
    (tmp_path / "mnist.npz").write_bytes(server.files["mnist.npz"])
    code = (
        "import sys; from pathlib import Path; from regsearch.data import archives, catalogue, download;"
        f"archives.read_mnist([Path({str(tmp_path / 'mnist.npz')!r})]);"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_checksums_are_those_of_keras():
    import inspect

    import keras

    for name in ("mnist", "cifar10", "cifar100"):
        (file,) = download.FILES[name]
        source = inspect.getsource(inspect.getmodule(getattr(keras.datasets, name).load_data))
        assert file.checksum.removeprefix("sha256:") in source
        assert file.name in source
