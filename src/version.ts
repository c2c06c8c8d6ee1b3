/** The version that health answers and the OpenAPI document show; a test holds it to package.json. */
export const version = '0.1.0'
