export const { productName, returnOrigins, passwordMinLength } = SETTINGS
