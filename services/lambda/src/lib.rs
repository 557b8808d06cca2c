//! AWS Lambda: functions, versions, aliases, layers, invocations, event sources.
