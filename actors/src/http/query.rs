//! The query of `/metrics`: `name[]=x` for families by name, `shard=i&of=n` for
//! one of n parts of all series.

use actix_web::web::Query;
use psg_engine::store::{Filter, MAX_SHARES, SeriesShare};

/// The filter that a query asks for; or what is wrong with it.
pub fn filter(query: &str) -> Result<Filter, String> {
    let pairs = Query::<Vec<(String, String)>>::from_query(query);
    let pairs = pairs.map_err(|_| "expected a query like name[]=x&shard=0&of=2".to_owned())?;
    let (mut names, mut shard, mut of) = (Vec::new(), None, None);
    for (key, value) in pairs.into_inner() {
        match key.as_str() {
            "name[]" if !value.is_empty() => names.push(value),
            "name[]" => return Err(format!("name[]: expected a metric name, got {value:?}")),
            "shard" => set(&mut shard, "shard", &value)?,
            "of" => set(&mut of, "of", &value)?,
            "name" => return Err("expected name[], got name".to_owned()),
            // A scraper may tell itself apart by words of its own.
            _ => {}
        }
    }
    let part = match (shard, of) {
        (None, None) => None,
        (Some(shard), Some(of)) => Some(SeriesShare::new(shard, of).ok_or_else(|| {
            format!("expected shard below of, and of at most {MAX_SHARES}, got {shard} of {of}")
        })?),
        _ => return Err("expected shard and of, got one without the other".to_owned()),
    };
    Ok(Filter::new(names, part))
}

fn set(place: &mut Option<usize>, key: &str, value: &str) -> Result<(), String> {
    let number = value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok());
    let number = number.flatten();
    let number = number.ok_or_else(|| format!("{key}: expected a whole number, got {value:?}"))?;
    if place.replace(number).is_some() {
        return Err(format!("{key}: expected it once, got more"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, names: &[&str], part: Option<(usize, usize)>) {
        let names = names.iter().map(ToString::to_string).collect();
        let part = part.and_then(|(index, of)| SeriesShare::new(index, of));
        assert_eq!(filter(query), Ok(Filter::new(names, part)), "{query}");
    }

    #[test]
    fn queries() {
        check("", &[], None);
        check("name[]=a", &["a"], None);
        check("name%5B%5D=a&name[]=b&name[]=a", &["a", "b"], None);
        check("shard=1&of=3", &[], Some((1, 3)));
        check("of=3&name[]=a:b&shard=0", &["a:b"], Some((0, 3)));
        check("shard=63&of=64", &[], Some((63, 64)));
        check("server=a&name[]=b", &["b"], None);
        check("name[]=a.b%2F%C3%A9", &["a.b/é"], None);
    }

    #[test]
    fn what_can_not_be_meant_is_refused() {
        for (query, expected) in [
            ("name=a", "expected name[], got name"),
            ("name[]=", "name[]: expected a metric name, got \"\""),
            ("shard=1", "expected shard and of, got one without the other"),
            ("of=1", "expected shard and of, got one without the other"),
            ("shard=2&of=2", "expected shard below of, and of at most 64, got 2 of 2"),
            ("shard=0&of=0", "expected shard below of, and of at most 64, got 0 of 0"),
            ("shard=0&of=65", "expected shard below of, and of at most 64, got 0 of 65"),
            ("shard=+1&of=2", "shard: expected a whole number, got \" 1\""),
            ("shard=1&of=-2", "of: expected a whole number, got \"-2\""),
            ("shard=&of=2", "shard: expected a whole number, got \"\""),
            ("shard=0&shard=1&of=2", "shard: expected it once, got more"),
            (
                "shard=99999999999999999999&of=2",
                "shard: expected a whole number, got \"99999999999999999999\"",
            ),
        ] {
            assert_eq!(filter(query), Err(expected.to_owned()), "{query}");
        }
    }
}
