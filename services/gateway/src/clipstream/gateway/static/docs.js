// The document says nothing to those without a token, so the page asks for one. It stays in this page's memory.
"use strict";

const form = document.getElementById("sign-in");
const told = document.getElementById("told");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = new FormData(form).get("token").trim();
  const authorize = (request) => {
    if (new URL(request.url, location.href).origin === location.origin) {
      request.headers.Authorization = `Bearer ${token}`;
    }
    return request;
  };
  const answer = await fetch("/openapi.json", { headers: { Authorization: `Bearer ${token}` } });
  const body = await answer.json();
  if (!answer.ok) {
    told.textContent = body.error;
    return;
  }
  form.hidden = true;
  SwaggerUIBundle({ spec: body, dom_id: "#document", deepLinking: true, requestInterceptor: authorize });
});
