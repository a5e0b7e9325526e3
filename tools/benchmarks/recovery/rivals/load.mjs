/** Copied to where the rivals are installed, so that what it imports is found there. @param {string} specifier */
export const load = (specifier) => import(specifier)
