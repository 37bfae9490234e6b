/* What index.html does: shows the three documented snippets with the fields' values, and runs them. */
(function () {
  "use strict";

  const byId = (id) => document.getElementById(id);
  const value = (id) => byId(id).value;
  const NAMESPACE = "micro";
  const OPERATIONS = {
    CreateChat: () => ({ user_ids: [value("me"), value("other")] }),
    SendMessage: () => ({ chat_id: value("chat"), author_id: value("me"), text: value("text") }),
    ListMessages: () => ({ chat_id: value("chat") }),
  };
  const pathOf = (name) => `/chats/Chats/${name}`;
  let isOpen = false; // the service takes calls without a login (auth = open)

  function showState() {
    const loggedIn = Micro.isLoggedIn();
    const without = isOpen ? "This server is open: whoever reaches it may call it." : "You are not logged in.";
    byId("state").textContent = loggedIn ? "You are logged in." : without;
    byId("login").hidden = loggedIn || isOpen;
    byId("logout").hidden = !loggedIn;
  }

  function showCode() {
    for (const [name, params] of Object.entries(OPERATIONS)) {
      const shown = JSON.stringify(params(), null, 2).replace(/\n/g, "\n  ");
      byId(`code-${name}`).textContent =
        `Micro.requireLogin(function () {\n  Micro.post("${pathOf(name)}", "${NAMESPACE}", ${shown},\n` +
        "  function (data, status) {\n    console.log(status, data);\n  });\n});";
    }
  }

  function showAnswer(name, data, status) {
    const answer = byId(`answer-${name}`);
    answer.hidden = false;
    answer.classList.toggle("error", status !== 200);
    answer.textContent = `${status === 0 ? "no answer" : status}\n${JSON.stringify(data, null, 2)}`;
  }

  // Without a token, only an open service gets as far as to say that there is no such chat.
  function askWhetherOpen() {
    Micro.get(pathOf("ListMessages"), NAMESPACE, { chat_id: "-" }, function (data, status) {
      isOpen = status === 200 || (status === 404 && data.Id === "NOT_FOUND");
      showState();
    });
  }

  function run(name) {
    function post() {
      Micro.post(pathOf(name), NAMESPACE, OPERATIONS[name](), function (data, status) {
        showAnswer(name, data, status);
        if (name === "CreateChat" && status === 200) {
          byId("chat").value = data.chat.id;
          showCode();
        }
        showState();
      });
    }
    if (isOpen) {
      post();
    } else {
      Micro.requireLogin(post);
    }
  }

  for (const button of document.querySelectorAll("[data-run]")) {
    button.addEventListener("click", () => run(button.dataset.run));
  }
  document.addEventListener("input", showCode);
  byId("login").addEventListener("click", () => Micro.requireLogin(showState));
  byId("logout").addEventListener("click", function () {
    Micro.logout();
    askWhetherOpen();
  });
  addEventListener("storage", showState); // another tab has logged in or out

  byId("tag").textContent = `<script src="${new URL("micro.js", document.baseURI).href}"></script>`;
  showCode();
  if (Micro.isLoggedIn()) {
    showState();
  } else {
    askWhetherOpen();
  }
})();
