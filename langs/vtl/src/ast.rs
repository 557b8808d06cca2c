//! A parsed template.

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Text(Box<str>),
    Reference(Reference),
    Set(Box<Reference>, Expr),
    /// Conditions with their blocks, and the block of `#else`.
    If(Vec<(Expr, Vec<Node>)>, Vec<Node>),
    Foreach(Box<Foreach>),
    /// A call of a macro, with its source for when there is none of this name.
    Call(Box<Call>),
    /// `#define`: a block that is rendered where its variable stands.
    Define(Box<str>, std::sync::Arc<Vec<Node>>),
    Evaluate(Expr),
    Break,
    Stop,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Foreach {
    pub variable: Box<str>,
    pub list: Expr,
    pub body: Vec<Node>,
    /// Rendered when there is nothing to go through.
    pub otherwise: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub name: Box<str>,
    pub arguments: Vec<Expr>,
    /// The block of `#@name() … #end`: `$bodyContent`.
    pub body: Option<std::sync::Arc<Vec<Node>>>,
    pub source: Box<str>,
}

/// `#macro(name $a $b) … #end`.
#[derive(Clone, Debug, PartialEq)]
pub struct Macro {
    pub parameters: Vec<Box<str>>,
    pub body: Vec<Node>,
}

/// `$name.property.method(arguments)[index]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    pub name: Box<str>,
    pub path: Vec<Access>,
    /// `$!name`: nothing, where there is no value.
    pub quiet: bool,
    /// As it is written.
    pub source: Box<str>,
    /// How many backslashes stand before it.
    pub escapes: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    Property(Box<str>),
    Method(Box<str>, Vec<Expr>),
    Index(Expr),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<str>),
    /// A text in double quotes with references or directives in it.
    Template(Vec<Node>),
    Reference(Box<Reference>),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Range(Box<(Expr, Expr)>),
    Binary(Op, Box<(Expr, Expr)>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}
