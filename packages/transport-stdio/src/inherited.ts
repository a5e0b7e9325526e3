/**
 * What every server inherits (S5). Listed one by one, because prefixes also begin names of tokens: `npm_config__auth`, `UV_PUBLISH_TOKEN`,
 * `PIP_CLIENT_CERT`. Left out on purpose is what lets a server act as the user (`SSH_AUTH_SOCK`, `DBUS_SESSION_BUS_ADDRESS`) or runs code
 * in each process (`NODE_OPTIONS`, `PYTHONPATH`).
 */

const words = (names: string): ReadonlyArray<string> => names.trim().split(/\s+/)

/** Beside the locale (`LC_*`). */
export const posix = words("HOME LANG LOGNAME PATH SHELL TERM TMPDIR TZ USER")

export const windows = words(`
  APPDATA COMSPEC HOMEDRIVE HOMEPATH LOCALAPPDATA PATH PATHEXT PROCESSOR_ARCHITECTURE PROGRAMDATA PROGRAMFILES SYSTEMDRIVE SYSTEMROOT TEMP
  TMP USERNAME USERPROFILE WINDIR
`)

/** Also in small letters: curl reads `http_proxy` only so, and other programs only capitals. */
export const proxies = words("HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY NODE_USE_ENV_PROXY")

export const certificates = words(`
  NODE_EXTRA_CA_CERTS NODE_USE_SYSTEM_CA SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO DENO_CERT
  DENO_TLS_CA_STORE
`)

/** npm takes them in any case. */
export const npm = words(`
  npm_config_registry npm_config_cache npm_config_userconfig npm_config_globalconfig npm_config_prefix npm_config_proxy
  npm_config_https_proxy npm_config_noproxy npm_config_ca npm_config_cafile npm_config_strict_ssl npm_config_offline
  npm_config_prefer_offline npm_config_fetch_timeout npm_config_fetch_retries
`)

export const javascript = words(
  "COREPACK_HOME COREPACK_NPM_REGISTRY PNPM_HOME BUN_INSTALL BUN_CONFIG_REGISTRY DENO_DIR"
)

export const python = words(`
  UV_INDEX UV_DEFAULT_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_INDEX_STRATEGY UV_INSECURE_HOST UV_KEYRING_PROVIDER
  UV_NATIVE_TLS UV_SYSTEM_CERTS UV_OFFLINE UV_HTTP_TIMEOUT UV_CACHE_DIR UV_CONFIG_FILE UV_TOOL_DIR UV_TOOL_BIN_DIR UV_LINK_MODE UV_PYTHON
  UV_PYTHON_PREFERENCE UV_PYTHON_DOWNLOADS UV_PYTHON_INSTALL_DIR UV_PYTHON_INSTALL_MIRROR UV_PYPY_INSTALL_MIRROR
  PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX PIP_TRUSTED_HOST PIP_CERT PIP_PROXY PIP_CACHE_DIR PIP_CONFIG_FILE
  PIPX_HOME PIPX_BIN_DIR PIPX_DEFAULT_PYTHON
`)

export const containers = words(`
  DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_CERT_PATH DOCKER_TLS DOCKER_TLS_VERIFY DOCKER_API_VERSION DOCKER_DEFAULT_PLATFORM
  CONTAINER_HOST CONTAINER_CONNECTION CONTAINER_SSHKEY CONTAINERS_CONF CONTAINERS_STORAGE_CONF CONTAINERS_REGISTRIES_CONF
  REGISTRY_AUTH_FILE CONTAINERD_ADDRESS CONTAINERD_NAMESPACE CONTAINERD_SNAPSHOTTER NERDCTL_TOML
`)

/** Without `XDG_RUNTIME_DIR`, rootless podman and nerdctl find no socket and no running container. */
export const folders = words(`
  XDG_BIN_HOME XDG_CACHE_HOME XDG_CONFIG_DIRS XDG_CONFIG_HOME XDG_DATA_DIRS XDG_DATA_HOME XDG_RUNTIME_DIR XDG_STATE_HOME
`)

const shared = [...proxies, ...certificates, ...npm, ...javascript, ...python, ...containers, ...folders]

/** In capitals. */
const onWindows = new Set([...windows, ...shared].map((name) => name.toUpperCase()))
const exact = new Set([...posix, ...shared, ...proxies.map((name) => name.toLowerCase())])
const inAnyCase = new Set(npm)

export const isInherited = (name: string, platform: NodeJS.Platform): boolean =>
  platform === "win32"
    ? onWindows.has(name.toUpperCase())
    : exact.has(name) || name.startsWith("LC_") || inAnyCase.has(name.toLowerCase())
