/** JSON, and text to read. For the other packages of Lifeline only: it may change with each minor version. */
export { Bytes, kibibytes, mebibytes } from "./internal/ByteSize.js"
export * as ExactJson from "./internal/ExactJson.js"
export * as JsonValue from "./internal/JsonValue.js"
export { argumentsForm, blockText, failureText, resultText } from "./internal/resultText.js"
export * as PlainText from "./observe/PlainText.js"
export * as Said from "./observe/Said.js"
export * as Reasons from "./Reasons.js"
