/** What a connection takes of undici. By name: a bundler gives a module that is imported later, and is CommonJS, as its default only. */
export { Agent, buildConnector, EnvHttpProxyAgent, fetch, request } from "undici"
