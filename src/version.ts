/** The version in health answers and in the OpenAPI document. A test compares it with package.json. */
export const version = '0.1.0'
