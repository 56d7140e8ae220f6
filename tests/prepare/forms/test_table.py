"""Tests of tables as written by spreadsheets, people and Label Studio."""

import csv
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsss_core.prepare.findings import Findings
from wsss_core.prepare.forms.table import read_table
from wsss_core.runtime.errors import UserError

PLAIN = {"a": {"cat", "dog"}, "b": {"dog"}, "c": set()}


def read(root, content: str | bytes, name: str = "labels.csv"):
    path = root / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    findings = Findings()
    labelling = read_table(path, findings)
    findings.raise_errors()
    return labelling, findings.warnings


GOOD = {
    "comma": "image,tags\na,cat;dog\nb,dog\nc,\n",
    "semicolon": "image;tags\na;cat,dog\nb;dog\nc;\n",
    "tab": "image\ttags\na\tcat|dog\nb\tdog\nc\t\n",
    "tab and semicolons": "image\ttags\na\tcat;dog\nb\tdog\nc\t\n",
    "quoted commas": 'image,tags\na,"cat, dog"\nb,dog\nc,\n',
    "case and order": "Tags,IMAGE\ncat;dog,a\ndog,b\n,c\n",
    "spaces": " image , tags \n a , cat ; dog ;\nb,dog\nc,\n",
    "folders and suffixes": "image,tags\nimages/a.jpg,cat;dog\n./images\\b.JPG,dog\nc.tiff,\n",
    "windows": "image,tags\r\na,cat;dog\r\nb,dog\r\nc,\r\n",
    "old mac": "image,tags\ra,cat;dog\rb,dog\rc,\r",
    "empty columns and rows": "image,tags,,\na,cat;dog,,\n,,,\nb,dog,,\n\nc,,,\n,,,\n",
    "empty rows that are short": "image,tags,,\na,cat;dog\nb,dog,\nc\n",
    "word about the separator": "sep=;\nimage;tags\na;cat,dog\nb;dog\nc;\n",
    "json": 'image,tags\na,"[""cat"", ""dog""]"\nb,dog\nc,\n',
    "zeros and ones": "image,dog,cat\na,1,1\nb,1,0\nc,0,0\n",
    "one by one": "image;cat;dog\na;1.0;1\nb;0;1.0\nc;0.0;0\n",
    "true and false": "image,cat,dog\na,True,TRUE\nb,false,true\nc,False,FALSE\n",
    "image last": "cat,dog,image\n1,1,a\n0,1,b\n0,0,c\n",
    "unnamed empty column": "image,cat,dog,,\na,1,1,,\nb,0,1,,\nc,0,0,,\n",
    "label studio": (
        "annotation_id,annotator,choice,created_at,id,image\n"
        '1,1,"{""choices"":[""cat"",""dog""]}",2024,1,/data/upload/1/a.jpg\n'
        "2,1,dog,2024,2,b.jpg\n3,1,,2024,3,c.jpg\n"
    ),
}


@pytest.mark.parametrize("kind", GOOD)
def test_tables_that_say_the_same(tmp_path, kind):
    labelling, _ = read(tmp_path, GOOD[kind])
    assert labelling.tags == PLAIN


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings(tmp_path, encoding, newline):
    text = "image,tags\nMärz,Kühe;cat\nb,cat\n".replace("\n", newline)
    labelling, _ = read(tmp_path, text.encode(encoding))
    assert labelling.tags == {"März": {"Kühe", "cat"}, "b": {"cat"}}


def test_accents_have_one_form(tmp_path):
    decomposed = unicodedata.normalize("NFD", "Kühe")
    labelling, _ = read(tmp_path, f"image,tags\n{decomposed},Kühe\nb,{decomposed}\n")
    assert labelling.tags == {"Kühe": {"Kühe"}, "b": {"Kühe"}}


BAD = {
    "no header": ("a,cat\nb,dog\n", "starts with 'a,cat'; expected the header"),
    "image alone": ("image\na\n", "starts with 'image'; expected the header"),
    "empty": ("\n\n", "is empty; expected the header"),
    "quote not closed": (
        'image,tags\na,"cat\nb,dog\n',
        "line 2 has a quote that is never closed",
    ),
    "line break in a tag": (
        'image,tags\na,"cat\ndog"\nb,cat\n',
        r"line 2: the tag is 'cat\ndog'; expected a class name of one line",
    ),
    "line break in a column": (
        'image,"big\ncat",dog\na,1,0\n',
        r"a column is 'big\ncat'; expected a class name of one line",
    ),
    "vertical tab": ("image,tags\na,cat\vdog\n", r"line 2: the tag is 'cat\x0bdog'; expected"),
    "line break in a name": ('image,tags\n"a\nb",cat\n', r"line 2: image is 'a\nb'; expected"),
    "two values": ("image,cat\na,2\n", "line 2: image 'a' has '2' for cat; expected 0 or 1"),
    "no value": ("image,cat,dog\na,1\n", "line 2: image 'a' has '' for dog; expected 0 or 1"),
    "column twice": ("image,cat,cat\na,1,0\n", "has column cat twice; expected each once"),
    "unnamed column": (
        "image,tags,\na,cat,\nb,dog,cow\n",
        "line 3 has more cells than the header (column 3 has no name)",
    ),
    "unquoted commas": (
        "image,tags\na,cat\nb,dog,cat\n",
        "line 3 has more cells than the header (column 3 has no name)",
    ),
    "image twice": (
        "image,tags\na,cat\nimages/a.png,dog\n",
        "line 3: image 'a' occurs twice; expected once (also in ",
    ),
    "path out": ("image,tags\n../a.jpg,cat\n", "line 2: image is '../a.jpg'; expected an image id"),
    "absolute path": ("image,tags\n/data/x/../a.jpg,cat\n", "line 2: image is '/data/x/../a.jpg'"),
    "no image": ("image,tags\n,cat\n", "line 2: image is ''; expected an image id"),
    "long name": (f"image,tags\n{'ü' * 126}.jpg,cat\n", "too long; expected 251 bytes at most"),
    "binary": (b"image,tags\n\0\x81\x8d", "is not text; expected UTF-8, UTF-16 or cp1252"),
    "taken": (
        "image,tags\na,cat\nb,Background;MIOU\n",
        "line 3: the tag is 'Background', 'MIOU', a column name in tables of results",
    ),
    "taken column": (
        "image,seed,leaf\na,1,0\n",
        "a column is 'seed', a column name in tables of results",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_tables_are_one_line(tmp_path, kind):
    content, message = BAD[kind]
    with pytest.raises(UserError) as error:
        read(tmp_path, content)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{tmp_path}/labels.csv")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        (
            'image,tags\na,cat;dog\nb,"cat, dog"\n',
            "a comma, bracket or quote in the tag 'cat, dog'",
        ),
        ('image,tags\na,"cat,dog"\n', "commas in cells are read as separators of tags"),
        ('image,tags\na,"{""choices"": 3}"\n', "a comma, bracket or quote in the tag"),
        (
            "image,tags,notes\na,cat,nice\n",
            "the column notes is not read, as there is a column 'tags'",
        ),
    ],
)
def test_what_may_not_be_meant_is_warned_of(tmp_path, content, warning):
    _, warnings = read(tmp_path, content)
    assert any(warning in text for text in warnings)


TAG = st.text("abc äß", min_size=1).map(str.strip).filter(bool)


@given(rows=st.dictionaries(st.integers(0, 99).map(str), st.sets(TAG), min_size=1))
def test_both_forms_say_the_same(rows, tmp_path_factory):
    names = sorted(set().union(*rows.values()))
    if not names:
        return
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    columns = [[image, *(int(name in tags) for name in names)] for image, tags in rows.items()]
    for table in (
        [["image", "tags"], *([image, ";".join(tags)] for image, tags in rows.items())],
        [["image", *names, "unused"], *([*row, 0] for row in columns)],
    ):
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(table)
        assert read_table(path, Findings()).tags == rows
