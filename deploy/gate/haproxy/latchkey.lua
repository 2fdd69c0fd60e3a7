-- Asks Latchkey whether a request may pass, by HAProxy's own HTTP client. See haproxy.cfg.

local latchkey = "http://127.0.0.1:3000/gate/forward"

-- What Latchkey reads of a request besides its address.
local passed_on = { "cookie", "accept", "sec-fetch-mode", "sec-fetch-dest", "x-requested-with" }
local identity = { "remote-email", "remote-user", "remote-assertion" }
-- Belongs to the connection between HAProxy and Latchkey, not to the answer.
local of_the_connection = {
  ["connection"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true, ["content-length"] = true,
}

local function answer(txn, status, headers, body)
  txn:done(txn:reply({ status = status, headers = headers, body = body }))
end

core.register_action("latchkey", { "http-req" }, function(txn)
  local sent = txn.http:req_get_headers()
  local asked = {
    ["x-forwarded-proto"] = { "https" },
    ["x-forwarded-host"] = { txn:get_var("txn.latchkey_site") },
    ["x-forwarded-uri"] = { txn.f:pathq() },
    ["x-forwarded-method"] = { txn.f:method() },
  }
  for _, name in ipairs(passed_on) do
    if sent[name] then
      asked[name] = {}
      -- HAProxy counts values from 0.
      for position = 0, #sent[name] do table.insert(asked[name], sent[name][position]) end
    end
  end

  -- A check brings the first 1,000 characters of Accept, since Latchkey refuses more than 1,024. The app gets all.
  if asked["accept"] then asked["accept"] = { table.concat(asked["accept"], ","):sub(1, 1000) } end

  local response = core.httpclient():get({ url = latchkey, headers = asked, timeout = 5000 })
  -- HAProxy itself answers 502, 503 or 504 when Latchkey does not; Latchkey's own 503 says when to try again.
  local received = response and response.headers or {}
  if not response or response.status == 0 or (response.status >= 502 and not received["retry-after"]) then
    local unavailable = {
      ["retry-after"] = { "5" }, ["cache-control"] = { "no-store" }, ["content-type"] = { "text/plain" },
    }
    return answer(txn, 503, unavailable, "That did not work just now. Please try again in a few seconds.\n")
  end

  if response.status >= 200 and response.status < 300 then
    -- These replace whatever a visitor sends under the same names.
    for _, name in ipairs(identity) do
      if not received[name] then return answer(txn, 503, {}, "Latchkey did not say who is visiting.\n") end
      txn.http:req_set_header(name, received[name][0])
    end
    -- The visitor's cookies without the gate's own.
    local cookie = received["cookie"] and received["cookie"][0]
    if cookie and cookie ~= "" then txn.http:req_set_header("cookie", cookie) else txn.http:req_del_header("cookie") end
    return
  end

  local headers = {}
  for name, values in pairs(received) do
    if not of_the_connection[name] then
      headers[name] = {}
      for position = 0, #values do table.insert(headers[name], values[position]) end
    end
  end
  answer(txn, response.status, headers, response.body)
end)
