#include "core/config/yaml.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using ai_proxy::config::yaml::Document;
using ai_proxy::config::yaml::Field;
using ai_proxy::config::yaml::Kind;
using ai_proxy::config::yaml::Node;
using ai_proxy::config::yaml::Warnings;

Document parse(std::string_view text)
{
    auto document = Document::parse("x.yaml", text);
    EXPECT_TRUE(document.ok()) << document.error().message;
    return document ? std::move(*document) : Document();
}

std::string fault(std::string_view text)
{
    const auto document = Document::parse("x.yaml", text);
    return document ? "" : document.error().message;
}

std::string json(std::string_view text)
{
    return parse(text).root().json();
}

TEST(YamlTest, KeepsOrderTypesAndPlaces)
{
    const Document document = parse("b: 1\na:\n  - x\n  - y: 'z'\n");
    const Node root = document.root();
    ASSERT_EQ(root.kind(), Kind::mapping);
    ASSERT_EQ(root.size(), 2u);
    EXPECT_EQ(root.at(0).key(), "b");
    EXPECT_EQ(root["b"].line(), 1u);
    EXPECT_EQ(*root["a"].at(0).text(), "x");
    const Node y = root["a"].at(1)["y"];
    EXPECT_EQ(y.line(), 4u);
    EXPECT_EQ(y.path(), "a[1].y");
    EXPECT_EQ(
        y.error("is wrong").message, "x.yaml:4: field \"a[1].y\": is wrong");
    EXPECT_EQ(root.path(), "");
    EXPECT_EQ(root["none"].kind(), Kind::missing);
    EXPECT_FALSE(root["none"]["deeper"].has_value());
}

TEST(YamlTest, AnEmptyFileIsAnEmptyMapping)
{
    for (const char* text : {"", "\n# nothing\n", "---\n", "{}", "--- ~\n"}) {
        EXPECT_EQ(json(text), "{}") << text;
    }
}

TEST(YamlTest, ScalarsHaveTheTypesThatKubernetesGivesThem)
{
    EXPECT_EQ(json("a: 1\nb: -2\nc: 1.5\nd: 0x10\ne: 1e3\nf: +7"),
        R"({"a":1,"b":-2,"c":1.5,"d":16,"e":1000,"f":7})");
    EXPECT_EQ(json("a: true\nb: No\nc: ON\nd: off\ne: tRUE"),
        R"({"a":true,"b":false,"c":true,"d":false,"e":"tRUE"})");
    EXPECT_EQ(json("a: ~\nb:\nc: null\nd: ''"),
        R"({"a":null,"b":null,"c":null,"d":""})");
    EXPECT_EQ(json("a: '1'\nb: \"true\"\nc: !!str 5\nd: 1.2.3\ne: .inf"),
        R"({"a":"1","b":"true","c":"5","d":"1.2.3","e":".inf"})");
    EXPECT_EQ(json("a: |\n  two\n  lines\nb: [x, {y: 1}]"),
        "{\"a\":\"two\\nlines\\n\",\"b\":[\"x\",{\"y\":1}]}");
}

TEST(YamlTest, GettersTakeWhatCanBeMeant)
{
    const Document document = parse("n: '100'\nb: 'yes'\nt: 12\nl: [a, b]\n"
                                    "one: a\ne: 1.2e6\nz:\n");
    const Node root = document.root();
    EXPECT_EQ(*root["n"].integer(1, 100), 100);
    EXPECT_TRUE(*root["b"].boolean());
    EXPECT_EQ(*root["t"].text(), "12");
    EXPECT_EQ(root["l"].texts()->size(), 2u);
    EXPECT_EQ(root["one"].texts()->at(0), "a");
    EXPECT_EQ(*root["e"].integer(0, 2'000'000), 1'200'000);
    EXPECT_DOUBLE_EQ(*root["n"].number(0, 100), 100);
    EXPECT_FALSE(root["z"].text().ok());
    EXPECT_FALSE(root["z"].has_value());
}

TEST(YamlTest, GettersSayWhatIsExpectedAndWhere)
{
    const Document document =
        parse("a:\n  b:\n    - {c: 70000}\n    - 1.5\nf: perhaps\nt: [x]\n");
    const Node root = document.root();
    EXPECT_EQ(root["a"]["b"].at(0)["c"].integer(1, 65535).error().message,
        "x.yaml:3: field \"a.b[0].c\": a number from 1 to 65535 is expected");
    EXPECT_EQ(root["a"]["b"].at(1).integer(1, 9).error().message,
        "x.yaml:4: field \"a.b[1]\": a number from 1 to 9 is expected");
    EXPECT_EQ(root["f"].boolean().error().message,
        "x.yaml:5: field \"f\": true or false is expected");
    EXPECT_EQ(root["t"].text().error().message,
        "x.yaml:6: field \"t\": a text is expected");
    EXPECT_EQ(root["f"].number(0, 0.5).error().message,
        "x.yaml:5: field \"f\": a number from 0 to 0.5 is expected");
    EXPECT_EQ(root["t"].expect(Kind::mapping).error().message,
        "x.yaml:6: field \"t\": a mapping is expected");
}

TEST(YamlTest, AliasesAreCopiesThatKnowWhereTheyStand)
{
    const Document document =
        parse("a: &a\n  k: [1, 2]\nb: *a\nc: [*a, &x w, *x]\n");
    const Node root = document.root();
    EXPECT_EQ(root["b"].json(), R"({"k":[1,2]})");
    EXPECT_EQ(root["b"]["k"].at(1).path(), "b.k[1]");
    EXPECT_EQ(root["c"].json(), R"([{"k":[1,2]},"w","w"])");
}

TEST(YamlTest, MergeKeysGiveWhatTheMappingLacks)
{
    EXPECT_EQ(json("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n"),
        R"({"base":{"x":1,"y":2},"use":{"y":3,"x":1}})");
    EXPECT_EQ(
        json("a: &a {x: 1}\nb: &b {x: 2, z: 3}\nuse: {<<: [*a, *b], q: 0}\n"),
        R"({"a":{"x":1},"b":{"x":2,"z":3},"use":{"q":0,"x":1,"z":3}})");
    EXPECT_EQ(json("'<<': 1"), R"({"<<":1})");
    EXPECT_EQ(fault("a:\n  <<: 3\n"), "x.yaml:2: \"<<\" must name mappings");
}

TEST(YamlTest, RefusesWhatIsNoSettings)
{
    EXPECT_EQ(
        fault("a: 1\nb: 2\na: 3\n"), "x.yaml:3: the key \"a\" stands twice");
    EXPECT_EQ(fault("- a\n"), "x.yaml:1: a mapping is expected");
    EXPECT_EQ(fault("just text"), "x.yaml:1: a mapping is expected");
    EXPECT_EQ(fault("a: 1\n---\nb: 2\n"),
        "x.yaml:3: the file has more than one document, one is expected");
    EXPECT_EQ(fault("a: 1\n---\n"), "");
    EXPECT_EQ(fault("? [a]\n: 1\n"), "x.yaml:1: a key must be a single value");
    EXPECT_EQ(
        fault("a: *b\n"), "x.yaml:1: the alias \"b\" names nothing before it");
    EXPECT_EQ(fault("a: &a [1, *a]\n"),
        "x.yaml:1: the alias \"a\" names nothing before it");
    EXPECT_EQ(fault("a: !!binary eA==\n"),
        "x.yaml:1: the tag \"tag:yaml.org,2002:binary\" is not supported");
    EXPECT_NE(fault("a: [1\nb: 2\n"), "");
    EXPECT_NE(fault("a: \"\\0\"\n"), "");
    EXPECT_NE(fault("a: \xff\n"), "");
    EXPECT_NE(fault("a:\n\t- b\n"), "");
}

TEST(YamlTest, SaysTheLineOfABrokenDocument)
{
    EXPECT_EQ(fault("a: 1\nb: 'open\n").substr(0, 9), "x.yaml:3:");
    EXPECT_EQ(fault("a: 1\nb: c: d\n").substr(0, 9), "x.yaml:2:");
}

TEST(YamlTest, IsBounded)
{
    EXPECT_NE(fault(std::string(1024 * 1024 + 1, '#')), "");
    std::string deep = "a: ";
    deep.append(100, '[').append(100, ']');
    EXPECT_EQ(fault(deep), "x.yaml:1: the document is nested too deeply");
    // Ten to the ninth nodes, if one let it.
    std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 9; ++i) {
        const std::string last = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int j = 0; j < 10; ++j) {
            bomb += (j == 0 ? "" : ", ") + last;
        }
        bomb += "]\n";
    }
    EXPECT_NE(fault(bomb).find("more than 100000 nodes"), std::string::npos);
    // Long texts by many aliases.
    std::string wide = "a: &a " + std::string(10000, 'x') + "\nb: [";
    for (int i = 0; i < 1000; ++i) {
        wide += "*a, ";
    }
    EXPECT_NE(fault(wide + "]\n").find("too large"), std::string::npos);
    // Levels that aliases add to levels.
    std::string tower = "a0: &a0 [1]\n";
    for (int i = 1; i < 80; ++i) {
        tower += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a"
            + std::to_string(i - 1) + "]\n";
    }
    EXPECT_NE(fault(tower), "");
}

struct Settings {
    std::string name;
    bool on = false;
    int port = 0;
    std::vector<std::string> list;
};

namespace yaml = ai_proxy::config::yaml;

constexpr Field<Settings> kFields[] = {
    {"name", yaml::set_text<&Settings::name>},
    {"on", yaml::set_flag<&Settings::on>},
    {"port", yaml::set_integer<&Settings::port, 1, 65535>},
    {"list", yaml::set_texts<&Settings::list>},
    {"old", nullptr},
};

TEST(YamlTest, FieldsGoToTheirRows)
{
    const Document document =
        parse("name: n\n'on': true\nport: 80\nlist: [a]\nold: 1\n");
    Settings settings;
    Warnings warnings;
    const auto done =
        yaml::read_fields(kFields, settings, document.root(), warnings);
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_EQ(settings.name, "n");
    EXPECT_TRUE(settings.on);
    EXPECT_EQ(settings.port, 80);
    EXPECT_EQ(settings.list, std::vector<std::string>{"a"});
    EXPECT_EQ(warnings,
        std::vector<std::string>{"x.yaml:5: field \"old\": has no effect"});
}

TEST(YamlTest, UnknownFieldsAndWrongValuesFail)
{
    Settings settings;
    Warnings warnings;
    const auto fault_of = [&](std::string_view text) {
        const Document document = parse(text);
        auto done =
            yaml::read_fields(kFields, settings, document.root(), warnings);
        return done ? "" : done.error().message;
    };
    EXPECT_EQ(fault_of("name: a\nnmae: b\n"),
        "x.yaml:2: field \"nmae\": unknown field");
    EXPECT_EQ(fault_of("port: 0\n"),
        "x.yaml:1: field \"port\": a number from 1 to 65535 is expected");
    EXPECT_EQ(fault_of("name:\nport: ~\n"), "");
}

} // namespace
