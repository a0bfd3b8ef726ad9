"""Settings: every fault at once, no secret shown, and the example file leaves none out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from carbonmeter.settings import PREFIX, Address, Settings, described, load
from domain.errors import SettingsError
from domain.interval import HOUR_US

EXAMPLE = Path(__file__).parents[2] / "deploy" / "settings.example.env"


def test_the_defaults_are_those_of_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    settings = load({})
    assert settings.home == Path("/home/somebody/.local/share/carbonmeter")
    assert settings.database is None
    assert settings.broker is None
    assert settings.mqtt == Address("127.0.0.1", 1883)
    assert settings.http == Address("127.0.0.1", 8080)
    assert settings.zone_offset_us == 8 * HOUR_US
    assert settings == Settings()


def test_variables_win_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('home = "/a"\nmqtt = "off"\nhttp = "[::1]:81"\nallow_unsafe_database = true\n')
    settings = load({"CARBONMETER_HOME": "/b", "CARBONMETER_CONFIG": str(config)})
    assert (settings.home, settings.mqtt) == (Path("/b"), None)
    assert settings.http == Address("::1", 81)
    assert str(settings.http) == "[::1]:81"
    assert settings.allow_unsafe_database
    assert load({}, str(config)).home == Path("/a")


def test_an_empty_variable_is_unset() -> None:
    assert load({"CARBONMETER_DATABASE": "", "CARBONMETER_MQTT": ""}) == load({})


def test_all_faults_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('zone = "08:00"\nnonsense = 1\nlate = [1]\n')
    environment = {"CARBONMETER_HTTP": "8080", "CARBONMETER_LOOK_AHEAD": "P1M", "CARBONMETER_MQTT": "h:99999"}
    with pytest.raises(SettingsError) as caught:
        load(environment, str(config))
    text = str(caught.value)
    assert len(text.splitlines()) == 6
    assert "CARBONMETER_HTTP: '8080': expected HOST:PORT" in text
    assert "CARBONMETER_LOOK_AHEAD: 'P1M': expected an ISO 8601 duration" in text
    assert "CARBONMETER_MQTT: 'h:99999': expected HOST:PORT" in text
    assert f"{config}: zone: '08:00': expected an offset" in text
    assert f"{config}: 'nonsense' is no setting; there are " in text
    assert f"{config}: late: expected a text" in text


@pytest.mark.parametrize("text", ["not toml", None])
def test_an_unreadable_file_is_a_fault(tmp_path: Path, text: str | None) -> None:
    config = tmp_path / "c.toml"
    if text is not None:
        config.write_text(text)
    with pytest.raises(SettingsError, match=re.escape(str(config))):
        load({}, str(config))


def test_what_is_wrong_between_settings_is_told_with_all_else() -> None:
    with pytest.raises(SettingsError) as caught:
        load(
            {
                "CARBONMETER_MQTTS": "0.0.0.0:8883",
                "CARBONMETER_MQTTS_CLIENT_CERTIFICATES": "optional",
                "CARBONMETER_MQTT_PROXIES": "10.0.0.0/8,nowhere",
                "CARBONMETER_RECEIVE_MAXIMUM": "65536",
            }
        )
    for fault in (
        "MQTTS wants CARBONMETER_MQTTS_CERTIFICATE",
        "MQTTS wants CARBONMETER_MQTTS_KEY",
        "CLIENT_CERTIFICATES wants CARBONMETER_MQTTS_CLIENT_CA",
        "'10.0.0.0/8,nowhere': expected networks",
        "'65536': expected a number up to 65535",
    ):
        assert fault in str(caught.value)
    with pytest.raises(SettingsError, match="MQTTS_IDENTITY: certificate wants"):
        load({"CARBONMETER_MQTTS_IDENTITY": "certificate"})


def test_no_secret_is_shown() -> None:
    settings = load(
        {"CARBONMETER_DATABASE": "postgresql://u:geheim@h/d", "CARBONMETER_BROKER": "mqtt://u:geheim@h"}
    )
    rooms = [settings.accounting("postgresql://u:geheim@h/d"), settings.api("postgresql://u:geheim@h/d")]
    assert "geheim" not in repr([settings, *rooms])
    with pytest.raises(SettingsError) as caught:
        load({"CARBONMETER_DATABASE": "mysql://u:geheim@h/d"})
    assert "geheim" not in str(caught.value)
    assert "expected a URL that begins with postgresql://" in str(caught.value)


def test_the_example_shows_every_setting_with_its_default_and_reason() -> None:
    text = EXAMPLE.read_text("utf-8")
    blocks = re.findall(r"((?:^# .*\n)+)#(CARBONMETER_\w+)=(.*)$", text, re.MULTILINE)
    shown = {name: (" ".join(line[2:] for line in why.splitlines()), value) for why, name, value in blocks}
    assert set(shown) == {PREFIX + each.metadata["name"] for each in described()}
    for each in described():
        why, value = shown[PREFIX + each.metadata["name"]]
        assert why == each.metadata["why"]
        if each.metadata["default"] is not None:
            assert value == each.metadata["default"]
        each.metadata["parse"](value)  # the examples are right, too


def test_rules_of_formats_stand_in_the_file_or_in_a_variable(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        '[[formats]]\ntopic = "senml/{uscc}/{gateway}"\nformat = "senml"\nunits = ["kWh"]\n'
        '[[formats]]\ntopic = "v1/gateway/#"\nformat = "ignore"\n'
    )
    settings = load({}, str(config))
    assert [(rule.topic, rule.format) for rule in settings.formats] == [
        ("senml/{uscc}/{gateway}", "senml"),
        ("v1/gateway/#", "ignore"),
    ]
    assert settings.ingest("postgresql:///").formats == settings.formats
    variable = {"CARBONMETER_FORMATS": '[{"topic": "v1/#", "format": "ignore"}]'}
    assert [rule.topic for rule in load(variable, str(config)).formats] == ["v1/#"]


def test_faults_of_formats_are_told_with_all_others(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('zone = "08:00"\n[[formats]]\ntopic = "carbon/#"\nformat = "senml"\nunits = 5\n')
    with pytest.raises(SettingsError) as caught:
        load({"CARBONMETER_HTTP": "8080"}, str(config))
    text = str(caught.value)
    assert f"{config}: formats[0].topic: 'carbon/#' takes the topics of carbon/v1" in text
    assert f"{config}: formats[0].units: is 5, expected an array of units" in text
    assert "CARBONMETER_HTTP" in text
    assert len(text.splitlines()) == 4
    with pytest.raises(SettingsError, match="CARBONMETER_FORMATS: not JSON"):
        load({"CARBONMETER_FORMATS": "{"})
