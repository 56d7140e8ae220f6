"""Tests of the content of the report page, from results that were written by hand."""

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from tests.conftest import write_tiny_dataset
from tests.figures.report.small_experiment import write_experiment
from wsss_core.data.dataset import open_dataset
from wsss_core.figures.report.page import Configs, build_report, write_report
from wsss_core.figures.report.pictures import draw_shots
from wsss_core.runtime.checked_text import digest_path

SECTIONS = ["run", "scores", "pictures", "quality", "training", "config"]
CONFIGS = Configs(
    used={"dataset": {"name": "tiny"}, "methods": {"sb": {"epochs": 2}}},
    shipped={"dataset": {"name": "voc12"}, "methods": {"sb": {"epochs": 2}}},
)
VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """Follows opening and closing tags, and keeps attributes of all elements and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module", params=[True, False], ids=["scored", "without masks"])
def text(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("page")
    results = write_experiment(
        root / "results/tiny", write_tiny_dataset(root / "data"), scored=request.param
    )
    return build_report(results, CONFIGS, beside=results.folder)


def test_all_parts_are_there_in_order(text):
    page = Page(text)
    assert [attrs["id"] for attrs in page.all("section")] == SECTIONS
    targets = {attrs["href"] for attrs in page.all("a") if attrs["href"].startswith("#")}
    assert targets == {f"#{name}" for name in SECTIONS}


def test_nothing_is_loaded_from_elsewhere(text):
    page = Page(text)
    sources = [attrs["src"] for attrs in page.all("img")]
    assert sources
    assert all(source.startswith("data:image/webp;base64,") for source in sources)
    assert not [attrs for attrs in page.all("script") if "src" in attrs]
    assert "url(http" not in text
    assert "@import" not in text


def test_every_picture_says_what_it_shows(text):
    page = Page(text)
    assert all(attrs.get("alt") for attrs in page.all("img"))
    charts = page.all("svg")
    assert len(charts) >= 4
    assert all(attrs.get("aria-label") for attrs in charts)


def test_an_element_has_a_name_of_its_own(text):
    names = [attrs["id"] for _, attrs in Page(text).elements if "id" in attrs]
    # Those of drawings are digests of what they name, so that the same one may come twice.
    ours = [name for name in names if not re.fullmatch(r"[mp][0-9a-f]{10}", name)]
    assert len(ours) == len(set(ours))


def test_page_tells_of_changed_keys_and_leads_to_files(text):
    page = Page(text)
    keys = page.text[page.text.index("Differences from the shipped config") :]
    assert "dataset.name" in keys
    assert "methods.sb.epochs" not in keys
    links = {attrs["href"] for attrs in page.all("a")}
    assert "sb/seed1/segmenter/weights.pt" in links
    assert "cam/seed0/cam" in links


def test_scores_have_intervals_and_spread(tmp_path):
    results = write_experiment(tmp_path / "tiny", write_tiny_dataset(tmp_path / "data"))
    text = Page(build_report(results, CONFIGS, beside=results.folder)).text
    assert re.search(r"\d+\.\d\s+± \d+\.\d\s*\[\d+\.\d, \d+\.\d\]", text)
    assert "Trimap mIoU" in text
    assert "precision" in text


def test_extra_supervision_is_marked(tmp_path):
    results = write_experiment(tmp_path / "tiny", write_tiny_dataset(tmp_path / "data"))
    assert "†" not in build_report(results, CONFIGS, beside=results.folder)
    path = results.folder / "summary.csv"
    summary = pd.read_csv(path)
    summary["extra_supervision"] = None
    is_marked = (summary["method"] == "sb") & (summary["stage"] == "segmentation")
    summary.loc[is_marked, "extra_supervision"] = "masks & <boxes>"
    summary.to_csv(path, index=False)
    digest_path(path).unlink()
    page = build_report(results, CONFIGS, beside=results.folder)
    assert page.count("†") == 1 + 2 * len(results.splits)  # the note, each score, each row of IoUs
    assert "image-level labels: masks &amp; &lt;boxes&gt;." in page
    assert re.search(r"<small>t = 0\.\d\d</small>", page)


def test_without_masks_tags_are_compared(tmp_path):
    data = write_tiny_dataset(tmp_path / "data")
    results = write_experiment(tmp_path / "tiny", data, scored=False)
    text = Page(build_report(results, CONFIGS, beside=results.folder)).text
    assert "Class coverage beside tags" in text
    assert "agreement" in text
    assert "mIoU by background threshold" not in text


def test_names_that_look_like_html_stay_names(tmp_path):
    data = write_tiny_dataset(tmp_path / "data")
    for name in ("classes.txt", "labels.csv"):
        path = data / name
        path.write_text(
            path.read_text()
            .replace("disc", '<b>disc\'s & "co"')
            .replace('image,<b>disc\'s & "co"', 'image,"<b>disc\'s & ""co"""')
        )
    results = write_experiment(tmp_path / "tiny", data)
    page = Page(build_report(results, CONFIGS, beside=results.folder))
    assert '<b>disc\'s & "co"' in page.text


def test_file_is_small_and_whole(tmp_path):
    results = write_experiment(tmp_path / "tiny", write_tiny_dataset(tmp_path / "data"))
    write_report(results.folder / "report.html", results, CONFIGS)
    assert (results.folder / "report.html").stat().st_size < 15_000_000
    assert not list(results.folder.glob("*partial*"))


def test_pictures_stop_where_the_page_would_grow_too_large(tmp_path, monkeypatch):
    results = write_experiment(tmp_path / "tiny", write_tiny_dataset(tmp_path / "data"))
    dataset = open_dataset(results.data)
    first, _ = draw_shots(results, dataset, ["val_0", "val_1"], {}, {})
    monkeypatch.setattr("wsss_core.figures.report.pictures.MAX_BYTES", first.num_bytes + 1)
    assert draw_shots(results, dataset, ["val_0", "val_1"], {}, {}) == [first]
    page = build_report(results, CONFIGS, beside=results.folder)
    assert page.count('class="shot"') == 1
    assert "1 of the 2 images of val" in page
