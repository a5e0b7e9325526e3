/**
 * What is used of undici, by name: a bundler that puts this CommonJS module into a chunk of its own would give a dynamic import only its default.
 */
export { Agent, buildConnector, EnvHttpProxyAgent, fetch, request } from "undici"
