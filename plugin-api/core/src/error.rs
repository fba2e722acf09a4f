//! The one error type of component code.

/// What goes wrong in a component, with enough to tell the user which part and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter has a value the component cannot work with.
    #[error("parameter `{parameter}`: {message}")]
    Parameter {
        /// Name as written in the configuration.
        parameter: String,
        /// What is wrong and what is accepted.
        message: String,
    },
    /// An array or tensor has another shape than the method needs.
    #[error("{operation}: expected {expected}, got {got}")]
    Shape {
        /// The method that looked at the shape.
        operation: String,
        /// The accepted shape, in words or numbers.
        expected: String,
        /// The shape that came.
        got: String,
    },
    /// The component panicked; it is not used again.
    #[error("panicked: {0}")]
    Panic(String),
    /// Training cannot go on: a value that must be finite is not.
    #[error("{0} is not finite")]
    NotFinite(String),
    /// The run was cancelled by the user or by a signal.
    #[error("cancelled")]
    Cancelled,
    /// Anything else, in one sentence.
    #[error("{0}")]
    Message(String),
    /// An error with the place it came from in front.
    #[error("{context}: {source}")]
    Context {
        /// Where: a component, a case, a file.
        context: String,
        /// What went wrong there.
        #[source]
        source: Box<Error>,
    },
    /// libtorch reported an error.
    #[error("libtorch: {0}")]
    Torch(String),
}

/// Shorthand for results of component code.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that is one sentence.
    pub fn message(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }

    /// A wrong parameter: its name and what is wrong with it.
    pub fn parameter(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Parameter { parameter: name.into(), message: message.into() }
    }

    /// A wrong shape; `expected` and `got` are shown as they are.
    pub fn shape(operation: impl Into<String>, expected: impl ToString, got: impl ToString) -> Self {
        Self::Shape { operation: operation.into(), expected: expected.to_string(), got: got.to_string() }
    }

    /// Whether it says, somewhere inside, that a value is not finite.
    #[must_use]
    pub fn is_not_finite(&self) -> bool {
        match self {
            Error::NotFinite(_) => true,
            Error::Context { source, .. } => source.is_not_finite(),
            _ => false,
        }
    }

    /// Whether it says, somewhere inside, that the user asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        match self {
            Error::Cancelled => true,
            Error::Context { source, .. } => source.is_cancelled(),
            _ => false,
        }
    }

    /// The same error with the place it came from in front.
    #[must_use]
    pub fn within(self, context: impl Into<String>) -> Self {
        Self::Context { context: context.into(), source: Box::new(self) }
    }
}

/// libtorch appends a C++ backtrace to its messages; the first line is what a reader needs.
#[cfg(feature = "tch")]
impl From<tch::TchError> for Error {
    // Inlined into the crates that use it: a program that links this crate and no tensors does not refer to tch.
    #[inline]
    fn from(error: tch::TchError) -> Self {
        let text = error.to_string();
        let body = text.split("Exception raised from").next().unwrap_or(&text);
        Self::Torch(body.lines().next().unwrap_or_default().trim().to_owned())
    }
}
