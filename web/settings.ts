export const { productName, returnOrigins, passwordMinLength, turnstile } = SETTINGS
