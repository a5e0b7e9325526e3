/**
 * MCP servers over HTTP: Streamable HTTP and the older HTTP+SSE.
 */
export * as HttpConnector from "./HttpConnector.js"
