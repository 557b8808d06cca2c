//! Templates and what they render as; each line is a fact of Velocity or of Java.

use std::rc::Rc;

use fogbank_vtl::{Error, Limits, Object, Template, Value};

fn variables() -> Vec<(&'static str, Value)> {
    let json = br#"{"name":"Ada","n":3,"f":1.5,"t":true,"z":null,"list":[1,2,3],"o":{"k":"v","deep":{"x":[{"y":"z"}]}},"e":"","u":"a\u00e9\ud83d\ude00b"}"#;
    vec![("in", Value::parse_json(json).unwrap()), ("s", "hello".into()), ("n", Value::Int(7))]
}

fn render(template: &str) -> Result<String, Error> {
    Template::parse(template)?.render(variables(), &Limits::default())
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (template, expected) in cases {
        match render(template) {
            Ok(got) => assert_eq!(got, *expected, "{template}"),
            Err(e) => panic!("{template}: {e}"),
        }
    }
}

#[test]
fn references() {
    check(&[
        ("a $s b", "a hello b"),
        ("${s}x $!s $!{s}", "hellox hello hello"),
        ("$nope $!nope ${nope} $!{nope}.", "$nope  ${nope} ."),
        ("$in.name $in.get('name') $in['name'] ${in.name}x", "Ada Ada Ada Adax"),
        ("$in.nope $in.nope.more() $!in.nope", "$in.nope $in.nope.more() "),
        ("$in.z $!in.z", "$in.z "),
        ("$s. $s.. ($s) $s, $5 $ $$ $!", "hello. hello.. (hello) hello, $5 $ $$ $!"),
        ("$in.o.deep.x[0].y $in.list[1] $in.list.get(2)", "z 2 3"),
        ("$s.nothing() $s.length().nothing", "$s.nothing() $s.length().nothing"),
        ("\\$s \\\\$s \\\\\\$s \\$nope \\x \\", "$s \\hello \\$s \\$nope \\x \\"),
        ("${s ${", "${s ${"),
        ("$s[0] $s [0]", "$s[0] hello [0]"),
        ("$s-x", "$s-x"),
        (
            "$in $in.list $in.o",
            "{name=Ada, n=3, f=1.5, t=true, z=null, list=[1,2,3], o={k=v, deep={x=[{\"y\":\"z\"}]}}, e=, u=aé😀b} [1,2,3] {k=v, deep={x=[{\"y\":\"z\"}]}}",
        ),
    ]);
}

#[test]
fn set_and_expressions() {
    check(&[
        ("#set($x = 1)$x", "1"),
        ("#set($x=1)\n$x\n", "1\n"),
        ("a\n  #set($x = 1)  \nb", "a\nb"),
        ("#set($x = 'a$s') $x", " a$s"),
        ("#set($x = \"a$s\")$x", "ahello"),
        ("#set($x = \"say \"\"$s\"\"\")$x", "say \"hello\""),
        ("#set($x = 'it''s')$x", "it's"),
        ("#set($x = \"\\\\'\")$x", "\\\\'"),
        ("#set($x = 1 + 2 * 3 - 4 / 2)$x #set($y = (1 + 2) * 3 % 4)$y", "5 1"),
        ("#set($x = 7 / 2)$x #set($x = 7.0 / 2)$x #set($x = -$n)$x", "3 3.5 -7"),
        ("#set($x = 1 / 0)$x", "$x"),
        ("#set($x = 'a' + 1)$x #set($x = 1 + 'a')$x", "a1 1a"),
        ("#set($x = 5)#set($x = $nope)$x", "5"),
        ("#set($x = [1, 'b', $s])$x $x[2]", "[1, b, hello] hello"),
        ("#set($x = [1..3])$x #set($x = [3..1])$x", "[1, 2, 3] [3, 2, 1]"),
        ("#set($x = {'a': 1, 'b': {'c': 2}})$x $x.b.c $x.size()", "{a=1, b={c=2}} 2 2"),
        ("#set($x = {})#set($x.k = 'v')#set($x['l'] = 2)$x", "{k=v, l=2}"),
        ("#set($x = [1,2])#set($x[0] = 9)$x", "[9, 2]"),
        ("#set($in.o.k = 'w')$in.o.k", "w"),
        ("#set ( $x = true && !false )$x", "true"),
        ("#set($x = 1 == 1.0)$x #set($x = '1' == 1)$x #set($x = 'a' == 'a')$x", "true true true"),
        (
            "#set($x = 1 < 2)$x #set($x = 2 <= 1)$x #set($x = 3 gt 2)$x #set($x = 3 ne 2)$x",
            "true false true true",
        ),
        ("#set($x = true or false and false)$x #set($x = not true)$x", "true false"),
        ("#set($x = 1.5e3)$x", "1500.0"),
        ("#set $x #settings #set", "#set $x #settings #set"),
        ("#{set}($x = 1)$x", "1"),
    ]);
}

#[test]
fn conditions_and_loops() {
    check(&[
        ("#if($s == 'hello')yes#end", "yes"),
        ("#if($nope)a#elseif($n > 5)b#else c#end", "b"),
        ("#if($nope)a#else\n c\n#end\nd", " c\nd"),
        ("#if(!$nope)a#end#if($in.e)empty is true#end#if($in.z)no#end", "aempty is true"),
        ("#if($in.t)a#{else}b#{end}c", "ac"),
        ("#foreach($i in [1..3])$i#if($foreach.hasNext),#end#end", "1,2,3"),
        (
            "#foreach($i in $in.list)$foreach.index:$foreach.count:$velocityCount #end",
            "0:1:1 1:2:2 2:3:3 ",
        ),
        ("#foreach($i in $in.list)\n$i\n#end\nx", "1\n2\n3\nx"),
        ("#foreach($v in $in.o.deep)$v#end", "[{\"y\":\"z\"}]"),
        ("#foreach($k in $in.o.keySet())$k;#end", "k;deep;"),
        (
            "#foreach($e in $in.o.entrySet())$e.key=$e.getValue();#end",
            "k=v;deep={x=[{\"y\":\"z\"}]};",
        ),
        ("#foreach($i in [1..5])#if($i == 3)#break#end$i#end.", "12."),
        (
            "#foreach($i in [1..2])#foreach($j in [1..2])$foreach.parent.count$foreach.count #end#end",
            "11 12 21 22 ",
        ),
        ("#foreach($i in [])x#else none#end", " none"),
        ("#set($i = 'o')#foreach($i in [1])$i#end$i", "1o"),
        ("#foreach($i in $nope)x#end.", "."),
        ("a#stop b", "a"),
        ("#set($it = $in.list.iterator())#foreach($i in $it)$i#end", "123"),
        ("#foreach($i in [1..3])$i#if($i == 2)$foreach.stop()#end#end", "12"),
    ]);
}

#[test]
fn comments_and_text() {
    check(&[
        ("a ## b\nc", "a c"),
        ("a#* b\n *#c", "ac"),
        ("#[[ $s #if ]]#", " $s #if "),
        ("#unknown #unknown(1) # #1 #{x}", "#unknown #unknown(1) # #1 #{x}"),
        ("\\#set($x = 1) \\#nope", "#set($x = 1) \\#nope"),
        (
            "{\"a\": \"$s\", \"b\": [#foreach($i in $in.list)\"$i\"#if($foreach.hasNext), #end#end]}",
            "{\"a\": \"hello\", \"b\": [\"1\", \"2\", \"3\"]}",
        ),
        ("C:\\\\dir\\x", "C:\\\\dir\\x"),
    ]);
}

#[test]
fn macros_and_blocks() {
    check(&[
        ("#macro(greet $who)Hi $who!#end#greet('you')", "Hi you!"),
        ("#greet($s)#macro(greet $a $b)${a}-$!b#end", "hello-"),
        ("#macro(box)[$!bodyContent]#end#@box()$s#end", "[hello]"),
        ("#macro(m $x)#if($x > 0)$x#set($y = $x - 1)#m($y)#end#end#m(3)", "321"),
        ("#define($block)$s!#end$block $block", "hello! hello!"),
        ("#evaluate('${s}-#set($y = 1)$y')", "hello-1"),
    ]);
}

#[test]
fn strings() {
    check(&[
        ("$s.length() $s.substring(1) $s.substring(1, 3) $s.charAt(0)", "5 ello el h"),
        ("$s.indexOf('l') $s.indexOf('l', 3) $s.lastIndexOf('l') $s.indexOf('z')", "2 3 3 -1"),
        (
            "$s.contains('ell') $s.startsWith('he') $s.endsWith('x') $s.isEmpty()",
            "true true false false",
        ),
        ("$s.toUpperCase() $s.concat(' there') $s.replace('l', 'L')", "HELLO hello there heLLo"),
        (
            "$s.replaceAll('[el]+', '<$0>') $s.replaceFirst('l', 'L') $s.replaceAll('(h)(e)', '$2$1')",
            "h<ell>o heLlo ehllo",
        ),
        (
            "$s.matches('h.*o') $s.matches('h') $s.equals('hello') $s.equalsIgnoreCase('HELLO')",
            "true false true true",
        ),
        (
            "#set($p = $s.concat(',b,,c,,').split(','))$p $p.size() #set($p = $s.replace('ell', '1').split('\\d', 2))$p",
            "[hello, b, , c] 4 [h, o]",
        ),
        ("#set($x = '  a ')[$x.trim()]", "[a]"),
        ("$in.u.length() $in.u.substring(1,2) $in.u.indexOf('b')", "5 é 4"),
        ("$s.compareTo('help') $s.hashCode()", "-4 99162322"),
        (
            "$s.format('%s-%03d-%.2f-%5s|%-3s|%x%%', $s, 7, 1.005, 'a', 'b', 255)",
            "hello-007-1.01-    a|b  |ff%",
        ),
        ("$s.format('%,d', 1234567)", "1,234,567"),
        ("#set($q = \"it\\'s\")$q.replaceAll(\"\\\\'\", \"'\")", "it's"),
        ("$s.toString().contains('\"')", "false"),
        (
            "$s.class $s.getClass() $s.class.forName('x')",
            "$s.class $s.getClass() $s.class.forName('x')",
        ),
    ]);
}

#[test]
fn numbers_lists_and_maps() {
    check(&[
        ("#set($i = 0)$i.parseInt('12') $i.toString(5) $i.valueOf('3') $n.toString()", "12 5 3 7"),
        ("#set($d = 0.0)$d.parseDouble('1.25') $in.f.intValue() $n.doubleValue()", "1.25 1 7.0"),
        (
            "#set($l = [])$l.add('a') $l.add('b') $l $l.size() $l.contains('a') $l.isEmpty()",
            "true true [a, b] 2 true false",
        ),
        (
            "#set($l = [3,1])#set($m = $l.addAll([2]))$l $l.remove(0) $l $l.indexOf(2)",
            "[3, 1, 2] 3 [1, 2] 1",
        ),
        (
            "#set($m = {})$!m.put('a', 1)$m.put('a', 2) $m.get('a') $m.containsKey('b') $m.keySet() $m.values()",
            "1 2 false [a] [2]",
        ),
        ("#set($m = {'a': 1})$m.remove('a') $m $m.isEmpty()", "1 {} true"),
        ("#set($a = [])#set($b = $a)#set($x = $b.add(1))$a", "[1]"),
        ("$in.list.size() $in.list.subList(1, 3) $in.o.size()", "3 [2,3] 2"),
        ("#set($l = [1])#set($x = $l.add($l))#if($l)ok#end", "ok"),
    ]);
}

#[test]
fn what_goes_wrong() {
    for template in [
        "#if(true)",
        "#end",
        "#set($x = )",
        "#set(x = 1)",
        "#foreach($x $y)#end",
        "$s.substring(",
        "#if(",
        "#set($x = 'a)",
        "#macro()#end",
        "#[[ x",
        "#set($x = [1..)",
        "$a.b(1 2",
    ] {
        let got = render(template);
        assert!(matches!(got, Err(Error::Syntax { .. })), "{template}: {got:?}");
    }
    for template in [
        "$s.substring(9)",
        "$in.list.get(5)",
        "#set($i = 0)$i.parseInt('x')",
        "$s.replaceAll('(', '')",
        "$s.replaceAll('l', '$9')",
        "$s.format('%d', 'x')",
        "$in.list[9]",
    ] {
        let got = render(template);
        assert!(matches!(got, Err(Error::Exception { .. })), "{template}: {got:?}");
    }
    assert!(matches!(render("#parse('x')"), Err(Error::Refused("#parse"))));
    assert!(matches!(render("#include('x')"), Err(Error::Refused("#include"))));
}

#[test]
fn rendering_ends() {
    for template in [
        "#macro(m)#m()#end#m()",
        "#foreach($i in [1..2000])x#end",
        "#foreach($i in [1..1000000000])x#end",
        "#set($x = 'xxxxxxxxxx')#foreach($i in [1..100])#set($x = $x + $x)#end",
        "#set($x = 'xxxxxxxxxx')#foreach($i in [1..100])#set($x = \"$x$x\")#end",
        "#set($x = 'xxxxxxxxxx')#foreach($i in [1..100])#set($x = $x.concat($x))#end",
        "#set($l = [1])#foreach($i in [1..100])#set($x = $l.addAll($l))#end",
        "#foreach($i in [1..1000])#foreach($j in [1..1000])#foreach($k in [1..1000])$k#end#end#end",
        "#define($a)$a#end$a",
        "#set($e = '#evaluate($e)')#evaluate($e)",
        "$s.repeat(100000000)",
        "$s.format('%999999999s', 1)",
    ] {
        let got = render(template).map(|s| s.len());
        assert!(matches!(got, Err(Error::Limit(_))), "{template}: {got:?}");
    }
    // What is put into itself twice is cut, not rendered for ever.
    let grown = "#set($l = [])#set($x = $l.add($l))#set($x = $l.add($l))#set($y = $l.toString())";
    assert!(matches!(render(grown), Ok(_) | Err(Error::Limit(_))));
    for deep in
        ["(".repeat(10_000), "[".repeat(10_000), "!".repeat(10_000), "#if(true)".repeat(10_000)]
    {
        assert!(render(&format!("#set($x = {deep}")).is_err() || render(&deep).is_err());
    }
}

/// A stand-in for API Gateway's `$input` and `$util`.
struct Input;

impl Object for Input {
    fn get(&self, name: &str) -> Option<Value> {
        (name == "body").then(|| r#"{"customerId":"c'1","items":[]}"#.into())
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
        Ok(match (name, arguments) {
            ("parseJson", [Value::Text(t)]) => Value::parse_json(t.as_bytes()).ok(),
            ("escapeJavaScript", [v]) => {
                Some(v.render().replace('"', "\\\"").replace('\'', "\\'").into())
            }
            ("path", [_]) => Some(r#"{"status":"error"}"#.into()),
            _ => None,
        })
    }

    fn text(&self) -> String {
        "input".into()
    }
}

#[test]
fn the_order_templates() {
    let request = r#"#set($customerId = $util.parseJson($input.body).get('customerId'))
{
  "input": "$util.escapeJavaScript($input.body).replaceAll("\\'", "'")",
  "name": "$util.escapeJavaScript($customerId)"
}"#;
    let input = || Value::Object(Rc::new(Input) as Rc<dyn Object>);
    let with = |t: &str, context: &Value| {
        let all = vec![("input", input()), ("util", input()), ("context", context.clone())];
        Template::parse(t).unwrap().render(all, &Limits::default()).unwrap()
    };
    let none = Value::map::<&str>([]);
    let expected = "{\n  \"input\": \"{\\\"customerId\\\":\\\"c'1\\\",\\\"items\\\":[]}\",\n  \"name\": \"c\\'1\"\n}";
    assert_eq!(with(request, &none), expected);
    let response = r#"#set($sfnOutput = $input.path('$.output'))
#if($sfnOutput.toString().contains('"status":"error"'))
#set($context.responseOverride.status = 400)
#end
$sfnOutput"#;
    let context = Value::map([("responseOverride", Value::map::<&str>([]))]);
    assert_eq!(with(response, &context), r#"{"status":"error"}"#);
    assert_eq!(context.render(), "{responseOverride={status=400}}");
}
