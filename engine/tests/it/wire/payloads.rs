//! Payloads made for properties: documents near the border between samples and
//! what is refused, in random order, spacing and escaping.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::show::NOW;

/// A document to be rendered. Numbers and literals are their JSON text.
#[derive(Debug, Clone)]
pub enum Node {
    Bare(String),
    Text(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// A payload: an object of mostly known fields, rendered in one of many ways.
pub fn payload() -> impl Strategy<Value = String> {
    let members = prop_oneof![3 => sample_members(), 1 => vec(member(), 0..9)];
    (members.prop_shuffle(), vec(any::<u8>(), 0..200)).prop_map(|(members, choices)| {
        let mut renderer = Renderer { choices, next: 0, out: String::new() };
        renderer.render(&Node::Object(members));
        renderer.out
    })
}

/// Text in which little is wrong: a payload with a few bytes changed.
pub fn damaged_payload() -> impl Strategy<Value = Vec<u8>> {
    let edits = vec((any::<proptest::sample::Index>(), edit()), 1..4);
    (payload(), edits).prop_map(|(payload, edits)| {
        let mut bytes = payload.into_bytes();
        for (place, (removed, inserted)) in edits {
            let start = place.index(bytes.len() + 1);
            let end = bytes.len().min(start + removed);
            bytes.splice(start..end, inserted);
        }
        bytes
    })
}

/// JSON tokens and pieces of tokens in any order.
pub fn token_soup() -> impl Strategy<Value = String> {
    let token = select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        " ",
        "\n",
        "\"a\"",
        "\"name\":",
        "null",
        "true",
        "false",
        "nul",
        "0",
        "1",
        "-",
        "1.5",
        ".",
        "e",
        "01",
        "1e5",
        "\\u",
        "\\ud800",
        "\\udc00",
        "\"\\ud83d\\ude00\"",
        "\t",
        "\u{1}",
        "\u{feff}",
        "é",
        "//",
        "'",
        "{}",
        "[]",
        "\"\\n\"",
        "\0",
        "{\"name\":\"m\"}",
    ]);
    vec(token, 0..10).prop_map(|tokens| tokens.concat())
}

fn edit() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let inserted = prop_oneof![
        3 => Just(Vec::new()),
        2 => select(b"{}[],:\"\\ \n0-.eu\x00\x1f\x7f".as_slice()).prop_map(|byte| vec![byte]),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => "\\\\u[0-9a-fdD]{4}".prop_map(String::into_bytes),
    ];
    (0..3usize, inserted)
}

/// Members that make a sample, but for what chance makes of them, and some more.
fn sample_members() -> impl Strategy<Value = Vec<(String, Node)>> {
    let kind = prop_oneof![
        2 => kind(),
        3 => select(vec!["counter", "gauge", "histogram", "summary"]).prop_map(text),
    ];
    let expected = (kind, named(), observed(), labels(), numbers(), shares(), vec(member(), 0..2));
    expected.prop_map(|(kind, named, observed, labels, buckets, (quantiles, epsilons), more)| {
        let mut members = more;
        members.extend(named);
        members.extend(observed);
        members.extend(
            [
                ("type", kind),
                ("labels", labels),
                ("buckets", buckets),
                ("quantiles", quantiles),
                ("epsilons", epsilons),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        members
    })
}

fn member() -> impl Strategy<Value = (String, Node)> {
    prop_oneof![
        (
            "type|name|help|value|labels|buckets|quantiles|epsilons|timestamp|ttl|op|values|counts|sum\
             |unit|exemplar|factor|native|Name|x",
            any_value()
        ),
        (Just("type".to_owned()), kind()),
        (Just("name".to_owned()), metric_name()),
        (Just("help".to_owned()), short_text()),
        (Just("value".to_owned()), number()),
        (Just("labels".to_owned()), labels()),
        (Just("buckets".to_owned()), numbers()),
        ("quantiles|epsilons", shares().prop_map(|(quantiles, _)| quantiles)),
        (Just("timestamp".to_owned()), timestamp()),
        (Just("ttl".to_owned()), number()),
        (Just("op".to_owned()), op()),
        (Just("unit".to_owned()), short_text()),
        (Just("exemplar".to_owned()), exemplar()),
        (Just("factor".to_owned()), factor()),
        (Just("native".to_owned()), native()),
    ]
}

/// A name, and what few samples have beside it.
fn named() -> impl Strategy<Value = Vec<(String, Node)>> {
    let named = |name: &str, node| (name.to_owned(), node);
    let of_unit = ("a_b|a_b_total|c_b|a_total", "b|b|b|c");
    prop_oneof![
        12 => metric_name().prop_map(move |name| vec![named("name", name)]),
        1 => of_unit.prop_map(move |(name, unit)| vec![named("name", text(&name)), named("unit", text(&unit))]),
        3 => ("a_total|a", exemplar())
            .prop_map(move |(name, exemplar)| vec![named("name", text(&name)), named("exemplar", exemplar)]),
    ]
}

/// What a sample observed, in one of the ways in which it can say that.
fn observed() -> impl Strategy<Value = Vec<(String, Node)>> {
    let named = |name: &str, node| (name.to_owned(), node);
    let values = vec(prop_oneof![9 => small_number(), 1 => number()], 0..8).prop_map(Node::Array);
    let counts = vec(prop_oneof![19 => small_number(), 1 => number()], 0..7).prop_map(Node::Array);
    prop_oneof![
        6 => number().prop_map(move |value| vec![named("value", value)]),
        1 => (number(), op()).prop_map(move |(value, op)| vec![named("value", value), named("op", op)]),
        2 => values.prop_map(move |values| vec![named("values", values)]),
        1 => (number(), factor())
            .prop_map(move |(value, factor)| vec![named("value", value), named("factor", factor)]),
        4 => (counts, number())
            .prop_map(move |(counts, sum)| vec![named("counts", counts), named("sum", sum)]),
        2 => (native(), number())
            .prop_map(move |(native, sum)| vec![named("native", native), named("sum", sum)]),
    ]
}

fn exemplar() -> impl Strategy<Value = Node> {
    let value = prop_oneof![9 => number(), 1 => any_value()];
    let timestamp = prop_oneof![9 => timestamp(), 1 => any_value()];
    let long =
        "[a-zé]{110,140}".prop_map(|value| Node::Object(vec![("t".to_owned(), text(&value))]));
    let wrong = select(vec!["3", r#"{"a":[]}"#, r#"{"a-b":1}"#, r#"{"__a":1}"#]).prop_map(bare);
    let labels = prop_oneof![3 => labels(), 2 => long, 2 => wrong];
    (
        vec(("labels", labels), 0..2),
        vec(("value", value), 0..2),
        vec(("timestamp", timestamp), 0..2),
    )
        .prop_map(|(labels, value, timestamp)| {
            Node::Object(labels.into_iter().chain(value).chain(timestamp).collect())
        })
}

/// Members of a whole native histogram, mostly right ones.
fn native() -> impl Strategy<Value = Node> {
    let schema = prop_oneof![9 => (-5..10_i32).prop_map(|schema| bare(&schema.to_string())), 1 => any_value()];
    let threshold = prop_oneof![
        9 => select(vec!["0", "1e-9", "2.5", "null", "-0.0"]).prop_map(bare),
        1 => number(),
    ];
    let count = prop_oneof![9 => small_number(), 1 => number()];
    let members = (
        vec(("schema", schema), 1..3),
        vec(("zero_threshold", threshold), 0..2),
        vec(("zero_count", count), 0..2),
        vec(("positive|negative|x", native_side()), 0..4),
    );
    let all = members.prop_map(|(schema, threshold, count, sides)| {
        schema.into_iter().chain(threshold).chain(count).chain(sides).collect::<Vec<_>>()
    });
    prop_oneof![19 => all.prop_shuffle().prop_map(Node::Object), 1 => any_value()]
}

fn native_side() -> impl Strategy<Value = Node> {
    let indexes = prop_oneof![
        9 => (-70..70_i32, 1..9_i32).prop_map(
            |(first, step)| (0..4).map(|at| bare(&(first + at * step).to_string())).collect()
        ),
        1 => vec(number(), 4..5),
    ];
    let counts = vec(prop_oneof![19 => small_number(), 1 => number()], 4..5);
    let lists = (indexes, counts, 0..7_usize, 0..20_u8).prop_map(
        |(mut indexes, mut counts, length, uneven): (Vec<Node>, Vec<Node>, usize, u8)| {
            indexes.truncate(length);
            counts.truncate(if uneven == 0 { 1 } else { length });
            if uneven == 1 {
                counts = vec![bare("1"); 6];
            }
            let named = |name: &str, list| (name.to_owned(), Node::Array(list));
            Node::Object(vec![named("indexes", indexes), named("counts", counts)])
        },
    );
    prop_oneof![18 => lists, 1 => any_value(), 1 => Just(bare("[]"))]
}

fn factor() -> impl Strategy<Value = Node> {
    let usual = select(vec!["1.1", "2", "1.003", "70000", "1", "0.5"]).prop_map(bare);
    prop_oneof![9 => usual, 1 => number()]
}

fn op() -> impl Strategy<Value = Node> {
    prop_oneof![9 => select(vec!["set", "add", "max", "min"]).prop_map(text), 1 => short_text()]
}

fn small_number() -> impl Strategy<Value = Node> {
    (0..9u32).prop_map(|number| Node::Bare(number.to_string()))
}

fn kind() -> impl Strategy<Value = Node> {
    let word = select(vec![
        "counter",
        "gauge",
        "histogram",
        "summary",
        " Gauge ",
        "COUNTER",
        "\u{a0}gauge\n",
        "0",
        "3",
        " 2 ",
        "4",
        "01",
        "",
        "counters",
    ]);
    let digits = select(vec!["0", "1", "2", "3", "4", "-0", "1.0", "1e0", "-1", "10", "null"]);
    prop_oneof![3 => word.prop_map(text), 1 => digits.prop_map(bare)]
}

fn metric_name() -> impl Strategy<Value = Node> {
    prop_oneof![
        20 => "[a-z_:][a-z0-9_:]{0,6}".prop_map(Node::Text),
        1 => "[ \t\u{a0}]{0,12}".prop_map(Node::Text),
        1 => "[a-z]{9,11}".prop_map(Node::Text),
        1 => short_text(),
    ]
}

fn labels() -> impl Strategy<Value = Node> {
    let name = prop_oneof![
        12 => "[ab_]",
        8 => "[a-z_][a-z0-9_]{0,3}",
        1 => "le|quantile|__a|[a-z]{9,11}|a:b|é|",
    ];
    let value = prop_oneof![12 => short_text(), 4 => number(), 1 => any_value()];
    prop_oneof![
        6 => vec((name, value), 0..5).prop_map(Node::Object),
        1 => select(vec!["null", "[]", "[1]", "3"]).prop_map(bare),
    ]
}

fn numbers() -> impl Strategy<Value = Node> {
    let ascending = (-3i32..3, 0..6i32).prop_map(|(first, length)| {
        (first..first + length).map(|bound| Node::Bare(bound.to_string())).collect::<Vec<_>>()
    });
    let any_order = vec(number(), 0..4);
    let infinity = prop_oneof![2 => Just(None), 1 => Just(Some(bare("1e999")))];
    (prop_oneof![3 => ascending, 1 => any_order], infinity)
        .prop_map(|(bounds, infinity)| Node::Array(bounds.into_iter().chain(infinity).collect()))
}

/// Quantiles and epsilons, mostly of one length.
fn shares() -> impl Strategy<Value = (Node, Node)> {
    let share = || {
        let good = ["0", "-0.0", "0.5", "0.50", "0.9", "1"];
        let digits = select(vec![
            "0", "-0.0", "0.5", "0.50", "0.9", "1", "0.00001", "1.01", "-0.1", "1e999",
        ]);
        (digits, 0..6).prop_map(move |(digits, strict)| {
            bare(if strict == 0 || good.contains(&digits) { digits } else { "0.5" })
        })
    };
    let pairs = vec((share(), share()), 0..5);
    (pairs, 0..6).prop_map(|(pairs, uneven)| {
        let (quantiles, mut epsilons): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        if uneven == 0 {
            epsilons.pop();
        }
        (Node::Array(quantiles), Node::Array(epsilons))
    })
}

fn number() -> impl Strategy<Value = Node> {
    prop_oneof![
        3 => (0..1000u32).prop_map(|number| Node::Bare(number.to_string())),
        2 => any::<f64>().prop_filter("JSON has none", |number| number.is_finite())
            .prop_map(|number| Node::Bare(format!("{number:?}"))),
        1 => "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?".prop_map(Node::Bare),
        1 => select(vec!["-0", "0", "-0.0", "1e999", "-1e999", "1e-999", "-1"]).prop_map(bare),
    ]
}

/// Around ten minutes ahead of [`NOW`], in seconds and milliseconds, and any number.
fn timestamp() -> impl Strategy<Value = Node> {
    let around = (Just(f64::from(NOW) + 600.0 - 2.0), 0..16u32, select(vec![1.0, 1000.0]));
    prop_oneof![
        3 => around.prop_map(|(from, quarters, unit)| {
            Node::Bare(format!("{:?}", (from + f64::from(quarters) / 4.0) * unit))
        }),
        1 => select(vec!["0", "-1", "1e11", "100000000001", "\"1\"", "null"]).prop_map(bare),
        1 => number(),
    ]
}

fn short_text() -> impl Strategy<Value = Node> {
    prop_oneof![
        3 => "[a-z ]{0,17}".prop_map(Node::Text),
        1 => "\\PC{0,5}".prop_map(Node::Text),
        1 => any::<String>().prop_map(|text| Node::Text(text.chars().take(5).collect())),
        1 => Just(text("")),
    ]
}

fn any_value() -> impl Strategy<Value = Node> {
    let leaf =
        prop_oneof![select(vec!["null", "true", "false"]).prop_map(bare), number(), short_text(),];
    let nested = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Node::Array),
            vec(("[ab]", inner), 0..3).prop_map(Node::Object),
        ]
    });
    let deep = (50..70usize).prop_map(|depth| {
        (0..depth).fold(bare("1"), |inner, level| match level % 2 {
            0 => Node::Array(vec![inner]),
            _ => Node::Object(vec![("a".to_owned(), inner)]),
        })
    });
    prop_oneof![20 => nested, 1 => deep]
}

fn bare(text: &str) -> Node {
    Node::Bare(text.to_owned())
}

fn text(text: &str) -> Node {
    Node::Text(text.to_owned())
}

/// Writes a document; `choices` decides on spaces and escapes, and where it has
/// ended there are none but those that JSON asks for.
struct Renderer {
    choices: Vec<u8>,
    next: usize,
    out: String,
}

impl Renderer {
    fn render(&mut self, node: &Node) {
        self.space();
        match node {
            Node::Bare(text) => self.out.push_str(text),
            Node::Text(text) => self.string(text),
            Node::Array(elements) => {
                self.list('[', elements, ']', |renderer, element| renderer.render(element));
            }
            Node::Object(members) => {
                self.list('{', members, '}', |renderer, (name, value)| {
                    renderer.space();
                    renderer.string(name);
                    renderer.space();
                    renderer.out.push(':');
                    renderer.render(value);
                });
            }
        }
        self.space();
    }

    fn list<T>(&mut self, open: char, parts: &[T], close: char, each: impl Fn(&mut Self, &T)) {
        self.out.push(open);
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            each(self, part);
        }
        self.space();
        self.out.push(close);
    }

    fn space(&mut self) {
        let space = match self.choose() % 32 {
            1 => " ",
            2 => "\n",
            3 => "\t ",
            4 => "\r\n",
            _ => "",
        };
        self.out.push_str(space);
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            self.character(character);
        }
        self.out.push('"');
    }

    fn character(&mut self, character: char) {
        let must_escape = matches!(character, '"' | '\\' | '\0'..='\u{1f}');
        let choice = self.choose();
        let short =
            "\"\\/\u{8}\u{c}\n\r\t".find(character).map(|index| &"\"\\/bfnrt"[index..=index]);
        match short {
            Some(short) if must_escape || choice % 16 == 1 => {
                self.out.push('\\');
                self.out.push_str(short);
            }
            _ if must_escape || choice % 16 == 2 => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let lower = format!("\\u{unit:04x}");
                    let upper = format!("\\u{unit:04X}");
                    self.out.push_str(if choice < 128 { &lower } else { &upper });
                }
            }
            _ => self.out.push(character),
        }
    }

    fn choose(&mut self) -> u8 {
        self.next += 1;
        self.choices.get(self.next - 1).copied().unwrap_or(0)
    }
}
