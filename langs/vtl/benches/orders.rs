//! What a template costs: an order's request, mapped for a state machine. Prints nanoseconds.
#![allow(clippy::print_stdout, reason = "a bench prints its result")]

use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use fogbank_vtl::{Error, Limits, Object, Template, Value};

/// The fastest of so many batches is printed: the others met somebody else on the machine.
const BATCHES: u32 = 50;
const ROUNDS: u32 = 500;

const BODY: &str = r#"{"customerId":"cust-42","items":[{"productId":"keyboard","quantity":2},{"productId":"mouse","quantity":1}],"payment":{"method":"stripe","token":"ok"}}"#;

const TEMPLATE: &str = r##"#set($customerId = $util.parseJson($input.body).get('customerId'))
{
  "input": "$util.escapeJavaScript($input.body).replaceAll("\\'", "'")",
  "name": "$util.escapeJavaScript($customerId)",
  "items": [#foreach($i in $util.parseJson($input.body).items)"$i.productId"#if($foreach.hasNext), #end#end],
  "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:order-workflow"
}"##;

struct Host;

impl Object for Host {
    fn get(&self, name: &str) -> Option<Value> {
        (name == "body").then(|| BODY.into())
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
        let [v] = arguments else { return Ok(None) };
        let text = v.render();
        Ok(match name {
            "parseJson" => Value::parse_json(text.as_bytes()).ok(),
            "escapeJavaScript" => Some(text.replace('"', "\\\"").into()),
            _ => None,
        })
    }

    fn text(&self) -> String {
        String::new()
    }
}

fn main() -> Result<(), Error> {
    let template = Template::parse(TEMPLATE)?;
    let limits = Limits::default();
    let host = || Value::Object(Rc::new(Host) as Rc<dyn Object>);
    let render = || template.render(vec![("input", host()), ("util", host())], &limits);
    measure("parse", || Template::parse(TEMPLATE));
    measure("render", render);
    Ok(())
}

fn measure<T>(name: &str, run: impl Fn() -> T) {
    let batch = || {
        let started = Instant::now();
        for _ in 0..ROUNDS {
            black_box(run());
        }
        started.elapsed().as_nanos() / u128::from(ROUNDS)
    };
    let best = (0..BATCHES).map(|_| batch()).min().unwrap_or_default();
    println!("{name}: {best} ns");
}
