/** The API reference: the document of this very deployment, with calls to try. See docs/reference.md. */

/** Draws the viewer, which is only loaded here: it is larger than everything else together. */
export async function showReference(place: HTMLElement): Promise<void> {
  const [{ default: SwaggerUI }] = await Promise.all([
    import('swagger-ui-dist/swagger-ui-es-bundle.js'),
    import('swagger-ui-dist/swagger-ui.css'),
  ])
  SwaggerUI({
    domNode: place,
    url: '/openapi.json',
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: 'list',
    defaultModelsExpandDepth: 0,
    // A validator of its maker's would be asked about the document otherwise.
    validatorUrl: null,
    // A token that is pasted here is gone with the page.
    persistAuthorization: false,
    tryItOutEnabled: true,
    // Shows the recorded curl lines.
    showExtensions: true,
  })
}
