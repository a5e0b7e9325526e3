/** How options are written and checked. For the other packages of Lifeline only: it may change with each minor version. */
export { checkPrefix, prefixOf } from "./fleet/names.js"
export * as ByteSize from "./internal/ByteSize.js"
export * as Check from "./options/Check.js"
export * as Problem from "./options/Problem.js"
export { nearest } from "./options/Problem.js"
export * as SecretCommand from "./options/SecretCommand.js"
export * as TimeSpan from "./options/TimeSpan.js"
export * as Tools from "./options/Tools.js"
