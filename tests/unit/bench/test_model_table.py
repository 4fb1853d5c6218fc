from bench.model_table import DOCUMENT, declared_table, table, with_table
from bot.engine.model_catalogue import HTDEMUCS, MODELS, SPLEETER


def test_the_document_has_the_table_of_the_declared_models():
    document = DOCUMENT.read_text()
    assert with_table(document, declared_table()) == document, "python -m bench.model_table"


def test_a_row_says_what_a_model_costs_and_under_which_terms():
    text = table([SPLEETER, HTDEMUCS], [])
    [row] = [
        line for line in text.splitlines() if line.startswith("| `STEMCORD_LOCAL_MODEL=htdemucs`")
    ]
    assert "2,600 MiB" in row
    assert "98 MB (npm)" in row
    assert "personal and research use only; needs `STEMCORD_ACCEPT_HTDEMUCS_LICENSE=1`" in row
    assert "- **Spleeter-2**: The 2-stem weights of Spleeter by Deezer" in text


def test_models_under_the_same_terms_share_a_line():
    terms = [line for line in table(MODELS.values(), []).splitlines() if line.startswith("- ")]
    assert len(terms) == 3
    assert terms[-1].startswith("- **SCNet and SCNet-large**")


def test_the_studios_models_are_named_with_their_setting_size_and_terms():
    lines = declared_table().splitlines()
    [row] = [line for line in lines if line.startswith("| `STEMCORD_STUDIO_ACCEPT=karaoke`")]
    assert "lead_vocals" in row
    assert "none stated" in row
    assert "1,924 MB (huggingface.co)" in row
    assert [line for line in lines if line.startswith("- **BS-RoFormer SW**: ")]
