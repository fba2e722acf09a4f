//! The error type of components.

/// An error of a component. The host adds the component's name and the method before it shows the error.
///
/// ```
/// use nnunet_plugin_api::Error;
///
/// let error = Error::parameter("k", "must be between 0 and 100").within("loss DC_and_topk_loss");
/// assert_eq!(error.to_string(), "loss DC_and_topk_loss: parameter `k`: must be between 0 and 100");
///
/// let error = Error::shape("forward", "(2, 3, 8, 8, 8)", "(2, 4, 8, 8, 8)");
/// assert_eq!(error.to_string(), "forward: expected (2, 3, 8, 8, 8), got (2, 4, 8, 8, 8)");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter has a value that the component does not accept.
    #[error("parameter `{parameter}`: {message}")]
    Parameter {
        /// Name as written in the configuration.
        parameter: String,
        /// What is wrong and what is accepted.
        message: String,
    },
    /// An array or tensor has the wrong shape.
    #[error("{operation}: expected {expected}, got {got}")]
    Shape {
        /// The method that checked the shape.
        operation: String,
        /// The accepted shape, in words or numbers.
        expected: String,
        /// The actual shape.
        got: String,
    },
    /// The component panicked; it is not used again.
    #[error("panicked: {0}")]
    Panic(String),
    /// A value that must be finite is NaN or infinite.
    #[error("{0} is not finite")]
    NotFinite(String),
    /// The run was cancelled by the user or by a signal.
    #[error("cancelled")]
    Cancelled,
    /// Anything else, in one sentence.
    #[error("{0}")]
    Message(String),
    /// An error with the context it occurred in.
    #[error("{context}: {source}")]
    Context {
        /// The component, case or file.
        context: String,
        /// The error itself.
        #[source]
        source: Box<Error>,
    },
    /// libtorch reported an error.
    #[error("libtorch: {0}")]
    Torch(String),
}

/// The result type of component methods.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with a message.
    pub fn message(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }

    /// An error about the value of a parameter: its name, and what is wrong with it or what is accepted.
    pub fn parameter(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Parameter { parameter: name.into(), message: message.into() }
    }

    /// An error about a shape, reported by `operation`. `expected` and `got` are shown as given.
    pub fn shape(operation: impl Into<String>, expected: impl ToString, got: impl ToString) -> Self {
        Self::Shape { operation: operation.into(), expected: expected.to_string(), got: got.to_string() }
    }

    /// Whether this error, or the one it adds context to, is [`Error::NotFinite`].
    ///
    /// ```
    /// use nnunet_plugin_api::Error;
    ///
    /// let error = Error::NotFinite("loss NaN".to_owned()).within("epoch 3");
    /// assert!(error.is_not_finite());
    /// assert_eq!(error.to_string(), "epoch 3: loss NaN is not finite");
    /// ```
    #[must_use]
    pub fn is_not_finite(&self) -> bool {
        match self {
            Error::NotFinite(_) => true,
            Error::Context { source, .. } => source.is_not_finite(),
            _ => false,
        }
    }

    /// Whether this error, or the one it adds context to, is [`Error::Cancelled`].
    ///
    /// ```
    /// use nnunet_plugin_api::Error;
    ///
    /// assert!(Error::Cancelled.within("case 7").is_cancelled());
    /// assert!(!Error::message("the file is damaged").is_cancelled());
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        match self {
            Error::Cancelled => true,
            Error::Context { source, .. } => source.is_cancelled(),
            _ => false,
        }
    }

    /// The same error with a context (a component, a case, a file) in front.
    #[must_use]
    pub fn within(self, context: impl Into<String>) -> Self {
        Self::Context { context: context.into(), source: Box::new(self) }
    }
}

/// libtorch appends a C++ backtrace to its messages, and tch puts words of its own in front; the first line between them
/// is what a reader needs.
#[cfg(feature = "tch")]
impl From<tch::TchError> for Error {
    // Inlined into the crates that use it: a program that links this crate and no tensors does not refer to tch.
    #[inline]
    fn from(error: tch::TchError) -> Self {
        let text = error.to_string();
        let body = text.split("Exception raised from").next().unwrap_or(&text);
        let body = body.strip_prefix("Internal torch error: ").unwrap_or(body);
        Self::Torch(body.lines().next().unwrap_or_default().trim().to_owned())
    }
}
