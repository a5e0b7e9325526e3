/**
 * MCP servers over HTTP: Streamable HTTP and the older HTTP+SSE.
 */
export * as Audience from "./Audience.js"
export type { Authorization, Refusal, Tokens } from "./Authorization.js"
export * as HttpConnector from "./HttpConnector.js"
export { CredentialFailure } from "./HttpFailure.js"
export * as TokenRefusals from "./TokenRefusals.js"
