"""Recipes over the API: listed, checked, saved under names of your own, deleted."""

import pytest

RECIPE = "name: mine\nvariants: 1\nsteps:\n  - HorizontalFlip: {p: 1}\n"


def test_recipes_are_listed_checked_saved_and_deleted(client, settings):
    names = {recipe["name"]: recipe["own"] for recipe in client.get("/api/v1/recipes").json["recipes"]}
    assert names["gentle"] is False
    checked = client.post("/api/v1/recipes/validate", json={"text": RECIPE}).json
    assert checked["valid"] and checked["recipe"]["steps"] == [{"HorizontalFlip": {"p": 1}}]
    wrong = client.post("/api/v1/recipes/validate", json={"text": "variants: x\nsteps: [Horizontalflip]"}).json
    assert not wrong["valid"] and wrong["problems"]
    assert client.post("/api/v1/recipes/validate", json={"text": "a: [1"}).json["problems"][0].startswith("not YAML")
    assert client.post("/api/v1/recipes/validate", json={}).status_code == 422
    assert client.put("/api/v1/recipes/내 것", json={"text": RECIPE}).json["own"] is True
    taken = client.put("/api/v1/recipes/gentle", json={"recipe": checked["recipe"]})
    assert (taken.status_code, taken.json["fix"]) == (409, "choose another name")
    assert client.put("/api/v1/recipes/mine", json={"recipe": checked["recipe"]}).json["own"] is True
    assert client.put("/api/v1/recipes/mine", json={"text": RECIPE}).json["text"] == RECIPE
    assert client.get("/api/v1/recipes/내 것").json["text"] == RECIPE
    refused = client.put("/api/v1/recipes/bad", json={"text": "steps: [Nope]"})
    assert refused.status_code == 422 and "Nope" in refused.json["errors"][0]["message"]
    assert client.delete("/api/v1/recipes/mine").status_code == 204
    assert client.get("/api/v1/recipes/gentle").json["own"] is False
    assert client.delete("/api/v1/recipes/gentle").status_code == 409
    assert client.delete("/api/v1/recipes/none").status_code == 404
    assert [path.name for path in settings.recipes_dir.iterdir()] == ["내 것.yaml"]


def test_over_http_a_recipe_names_styles_of_the_library_only(client):
    def checked(style: str) -> dict:
        recipe = {"variants": 1, "steps": [{"Style": {"styles": [style]}}]}
        return client.post("/api/v1/recipes/validate", json={"recipe": recipe}).json

    assert checked("made/ink")["valid"]
    for style in ("/etc/passwd", "monet.jpg"):  # one is there and one is not, which is nobody's business
        answer = checked(style)
        assert not answer["valid"]
        assert answer["problems"] == [f"'{style}' is no style of the library"]
    assert client.put("/api/v1/recipes/x", json={"text": "steps: [Style: {styles: [a.jpg]}]"}).status_code == 422
    steps = {one["name"] for one in client.get("/api/v1/catalog").json["transforms"]}
    assert "Style" in steps


@pytest.mark.parametrize("name", ["..%2Fx", "..", ".hidden", "a%5Cb", "a%2Fb", "x" * 70, "a%0Ab", "%2e%2e%2fsettings"])
def test_a_recipes_name_is_never_a_path(client, settings, name):
    answer = client.put(f"/api/v1/recipes/{name}", json={"text": RECIPE})
    assert answer.status_code in {404, 405, 422}, answer.text
    assert not list(settings.data_dir.rglob("*.yaml"))


def test_a_recipes_name_with_a_slash_is_refused_in_words(client):
    answer = client.put("/api/v1/recipes/a%2Fb", json={"text": RECIPE})
    assert answer.status_code == 422 and answer.json["detail"] == "'a/b' is not a recipe's name"
