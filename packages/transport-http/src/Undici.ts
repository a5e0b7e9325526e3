/** Named exports: a bundler that chunks this CommonJS module would give a dynamic import only its default. */
export { Agent, buildConnector, EnvHttpProxyAgent, fetch, request } from "undici"
