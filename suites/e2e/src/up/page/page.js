(function () {
  "use strict";
  var MOST_ROWS = 500;
  var by = function (id) { return document.getElementById(id); };
  // The token stands behind # and is taken out of the address at once; a page that is loaded again still has it.
  var token = location.hash.slice(1);
  try {
    if (token) { sessionStorage.setItem("token", token); } else { token = sessionStorage.getItem("token") || ""; }
  } catch (refused) { /* without a storage the page lives as long as it is open */ }
  if (location.hash) { history.replaceState(null, "", location.pathname); }

  function link(says, how) { by("link").textContent = says; by("link").className = how; }
  function ask(path, options) {
    var asked = options || {};
    asked.headers = Object.assign({ Authorization: "Bearer " + token }, asked.headers);
    return fetch(path, asked);
  }
  // Everything that is shown is made here, and is text.
  function make(name, says, kind) {
    var one = document.createElement(name);
    if (says !== undefined && says !== null) { one.textContent = says; }
    if (kind) { one.className = kind; }
    return one;
  }
  function fill(into, children) { into.replaceChildren.apply(into, children); }
  function options(select, values, words) {
    var before = select.options.length ? select.value : null;
    fill(select, values.map(function (value, at) { var one = make("option", words ? words[at] : value); one.value = value; return one; }));
    if (values.indexOf(before) >= 0) { select.value = before; }
  }

  var state = null, cards = {};
  function draw(next) {
    state = next;
    by("topology").textContent = state.topology;
    fill(by("names"), state.names.filter(function (row) { return row.published || row.external.length; })
      .map(function (row) {
        var one = make("li");
        one.append(make("b", row.name), " → ", row.external.length ? row.external.join(", ") : make("span", "nowhere", "nowhere"));
        return one;
      }));
    var faults = {};
    state.faults.forEach(function (row) {
      var server = row.at.replace(/^pings /, "").split("/")[0];
      (faults[server] = faults[server] || []).push(row.at.split("/")[1] + ": " + row.answers.join(" "));
    });
    cards = {};
    fill(by("sites"), state.sites.map(function (site) {
      var box = make("div", null, "site"), list = make("ul", null, "servers");
      box.append(make("h3", site), list);
      var inside = state.edges.concat(state.servers).filter(function (server) { return server.site === site; });
      // A site is as wide as it has servers.
      box.style.flexGrow = Math.min(inside.length, 6);
      inside
        .sort(function (a, b) { return (b.seat - a.seat) || ((a.mailbox || false) - (b.mailbox || false)); })
        .forEach(function (server) { list.append(card(server, faults[server.name] || [])); });
      return box;
    }));
    fill(by("users"), state.users.map(function (user) {
      var row = make("tr");
      [user.account, user.password, user.address, user.database, user.server].forEach(function (says) { row.append(make("td", says)); });
      return row;
    }));
    fill(by("faults"), state.faults.map(function (row) {
      var one = make("li", row.at + ": " + row.answers.join(" ") + " "), button = make("button", "Mend");
      button.type = "button";
      button.setAttribute("aria-label", "Mend " + row.at);
      button.addEventListener("click", function () { change("mend", { at: row.at }); });
      one.append(button);
      return one;
    }));
    controls();
  }
  function card(server, faults) {
    var one = make("li"), what = server["client-access"] ? "Client Access" : server.mailbox ? "Mailbox" : "reverse proxy";
    var version = String(server.version || "").replace("Exchange", "Exchange ");
    one.append(make("span", server.name, "n"), make("span", version + " " + what + (server.seat ? ", the subject" : ""), "w"));
    state.users.filter(function (user) { return user.server === server.name; })
      .forEach(function (user) { one.append(make("span", user.mailbox, "box")); });
    if (server["out-of-service"]) { one.append(make("span", "out of service", "bad")); }
    faults.forEach(function (says) { one.append(make("span", "fault " + says, "bad")); });
    one.classList.toggle("seat", !!server.seat);
    one.classList.toggle("out", !!server["out-of-service"]);
    one.classList.toggle("faulty", faults.length > 0);
    cards[server.name] = one;
    return one;
  }
  function controls() {
    var others = state.servers.filter(function (server) { return !server.seat; });
    var places = [];
    others.forEach(function (server) { server.protocols.forEach(function (protocol) { places.push(server.name + "/" + protocol); }); });
    options(by("fault").elements.at, places);
    var several = state.databases.filter(function (database) { return database.copies.length > 1; });
    options(by("failover").elements.database, several.map(function (database) { return database.name; }));
    copies();
    options(by("move").elements.mailbox, state.users.map(function (user) { return user.mailbox; }));
    options(by("move").elements.to, state.databases.map(function (database) { return database.name; }));
    options(by("service").elements.server, others.filter(function (server) { return String(server.version).indexOf("2010") >= 0; })
      .map(function (server) { return server.name; }));
    options(by("dns").elements.name, state.names.map(function (row) { return row.name; }));
    var all = state.edges.concat(state.servers).map(function (server) { return server.name; });
    options(by("dns").elements.server, all.concat([""]), all.concat(["nowhere"]));
  }
  function copies() {
    var chosen = by("failover").elements.database.value;
    var database = state.databases.filter(function (one) { return one.name === chosen; })[0];
    options(by("failover").elements.to, database ? database.copies.filter(function (copy) { return copy !== database.active; }) : []);
  }
  by("failover").elements.database.addEventListener("change", copies);

  function said(says, bad) { by("said").textContent = says; by("said").className = bad ? "bad" : ""; }
  function change(word, what) {
    ask("/v1/" + word, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(what) })
      .then(function (answer) { return answer.json().then(function (told) { said(told.says || told.error, !answer.ok); }); })
      .catch(function () { said("The lab did not answer.", true); });
  }
  function submits(id, read) {
    by(id).addEventListener("submit", function (event) {
      event.preventDefault();
      read(event.target.elements, event.submitter ? event.submitter.value : "");
    });
  }
  submits("fault", function (given) { change("fault", { at: given.at.value, answers: [given.answer.value].concat(given.stays.checked ? ["..."] : []) }); });
  submits("failover", function (given) { change("failover", { database: given.database.value, to: given.to.value }); });
  submits("move", function (given) { change("move", { mailbox: given.mailbox.value, to: given.to.value }); });
  submits("service", function (given, word) { change(word || "out-of-service", { server: given.server.value }); });
  submits("dns", function (given) {
    var what = { name: given.name.value, servers: given.server.value ? [given.server.value] : [] };
    if (given.view.value) { what.view = given.view.value; }
    change("dns", what);
  });

  function refresh() { return ask("/v1/state").then(function (answer) { if (answer.ok) { return answer.json().then(draw); } }); }

  var rows = by("rows"), waiting = [], paused = false, shown = {}, last = null;
  function time(millis) { return (millis / 1000).toFixed(3); }
  function cells(told) {
    switch (told.kind) {
      case "arrived": return [told.from, told.server, told.protocol, told.verb + " " + told.target, told.user || "", "…"];
      case "queried": return [told.from, "dns " + told.view, "dns", told.record + " " + told.name, "", told.answers + " found"];
      case "connected": return ["outside", told.server || "nowhere", "connection", told.name + ":" + told.port, "", ""];
      default: return ["", "", "", told.says, "", ""];
    }
  }
  function fits(row) {
    var wanted = by("filter").value.toLowerCase().split(/\s+/).filter(Boolean), says = row.textContent.toLowerCase();
    return wanted.every(function (word) { return says.indexOf(word) >= 0; });
  }
  function count() { by("count").textContent = rows.children.length + " shown" + (waiting.length ? ", " + waiting.length + " waiting" : ""); }
  function lit(name) {
    var one = cards[name];
    if (!one) { return; }
    one.classList.add("lit");
    setTimeout(function () { one.classList.remove("lit"); }, 900);
  }
  function show(told) {
    if (told.kind === "answered") {
      var answered = shown[told.order];
      if (answered) {
        answered.lastChild.textContent = told.status + " in " + told.took + " ms";
        answered.lastChild.className = told.status >= 400 ? "bad" : "";
        delete shown[told.order];
      }
      return;
    }
    var row = make("tr", null, told.kind === "said" ? "said" : told.kind === "arrived" ? "" : "soft");
    row.append(make("td", time(told.time), "t"));
    cells(told).forEach(function (says) { row.append(make("td", says)); });
    row.hidden = !fits(row);
    rows.prepend(row);
    if (told.kind === "arrived") { shown[told.order] = row; row.dataset.order = told.order; lit(told.server); }
    if (told.kind === "connected") { lit(told.server); }
    while (rows.children.length > MOST_ROWS) {
      delete shown[rows.lastChild.dataset.order];
      rows.lastChild.remove();
    }
  }
  function heard(told) {
    last = told.number;
    if (told.kind === "said") { refresh(); }
    if (paused) {
      waiting.push(told);
      if (waiting.length > 5000) { waiting.shift(); }
    } else { show(told); }
    count();
  }
  by("filter").addEventListener("input", function () { Array.prototype.forEach.call(rows.children, function (row) { row.hidden = !fits(row); }); });
  by("pause").addEventListener("click", function () {
    paused = !paused;
    by("pause").setAttribute("aria-pressed", String(paused));
    if (!paused) { waiting.splice(0).forEach(show); }
    count();
  });
  by("clear").addEventListener("click", function () { fill(rows, []); shown = {}; count(); });

  // Server-sent events, read by hand since EventSource sends no token.
  function listen() {
    var headers = last === null ? {} : { "Last-Event-ID": String(last) };
    return ask("/v1/events", { headers: headers }).then(function (answer) {
      if (answer.status === 401) { throw new Error("token"); }
      if (!answer.ok) { throw new Error("refused"); }
      link("Connected", "here");
      var reader = answer.body.getReader(), decoder = new TextDecoder(), text = "";
      function read() {
        return reader.read().then(function (part) {
          if (part.done) { throw new Error("over"); }
          text += decoder.decode(part.value, { stream: true });
          var frames = text.split("\n\n");
          text = frames.pop();
          frames.forEach(function (frame) {
            frame.split("\n").forEach(function (line) { if (line.indexOf("data: ") === 0) { heard(JSON.parse(line.slice(6))); } });
          });
          return read();
        });
      }
      return read();
    });
  }
  function live() {
    refresh().then(listen).catch(function (error) {
      if (error.message === "token") {
        link("Open the address that `coexist up` printed, with what stands behind #.", "gone");
        return;
      }
      link("The lab does not answer. Trying again …", "gone");
      setTimeout(live, 2000);
    });
  }
  live();
})();
