#!/usr/bin/perl

# The plugins key-auth and jwt-auth: their files as Higress takes them, with
# rules by route, domain and service, in front of providers and of stock nginx.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64url);
use Test::More;

needs_module();

my $secret = 'sk-secret-hmac-' . 'x' x 32;
my $jwk = encode({ kty => 'oct', kid => '1', k => encode_base64url($secret) });
sub token {
    my ($claims) = @_;
    my $text = join '.', map { encode_base64url(encode($_)) }
        { alg => 'HS256', kid => '1' }, { iss => 'issuer', %$claims };
    return "$text." . encode_base64url(hmac_sha256($text, $secret));
}

my %files = (
    'keys.yaml' => <<'EOY',
consumers:
- name: one
  credential: sk-secret-key-1
- name: two
  credentials: [sk-secret-key-2, 'Bearer sk-secret-literal']
keys: [Authorization, x-api-key, apikey]
in_header: true
in_query: true
_rules_:
- _match_route_: [/located/]
  allow: [one]
- _match_domain_: ["*.example.com"]
  allow: [two]
- _match_service_: [llm-b.internal.dns]
  allow: [two]
- _match_route_: [chat]
  allow: []
EOY
    'all.yaml' => <<'EOY',
global_auth: true
consumers: [{name: one, credential: sk-secret-key-1}]
keys: [x-api-key]
in_header: true
EOY
    'jwt.yaml' => <<"EOY",
consumers:
- name: search
  issuer: issuer
  jwks: |
    {"keys":[$jwk]}
  clock_skew_seconds: 10
  claims_to_headers: [{claim: sub, header: X-User}]
EOY
);

my $up = Upstream->start(a => { json => chat_answer('a') },
    b => { json => chat_answer('b') }, echo => { echo => 1 });
sub gateway {
    my (%args) = @_;
    my $gw = Gateway->new(%args);
    $gw->write_file("conf/$_", $files{$_}) for keys %files;
    return $gw;
}

my $providers = zone() . provider(a => openai => $up->url('a'))
    . provider(b => openai => $up->url('b'));
my $gw = gateway(access_log => '', http => $providers . <<'EOT'
ai_proxy_route chat { provider a; }
ai_proxy_consumer one { models gpt-*; }
log_format c '$uri $status $ai_proxy_consumer $ai_proxy_error';
EOT
    , server => <<"EOT");
access_log %%DIR%%/logs/access.log c;
ai_proxy_plugin key-auth keys.yaml;
location /located/ { ai_proxy_pass a; }
location /plain/ { ai_proxy_pass a; }
location /b/ { ai_proxy_pass b; }
location /chat/ { ai_proxy_pass chat; }
location /off/ { ai_proxy_auth off; ai_proxy_plugin key-auth all.yaml;
    ai_proxy_pass a; }
location /all/ { ai_proxy_plugin key-auth all.yaml; ai_proxy_pass a; }
location /jwt/ { ai_proxy_plugin jwt-auth jwt.yaml; ai_proxy_pass a; }
location /both/ { ai_proxy_plugin jwt-auth jwt.yaml;
    ai_proxy_plugin key-auth all.yaml; ai_proxy_pass a; }
location /stock/ { ai_proxy_plugin key-auth all.yaml;
    proxy_set_header X-Mse-Consumer \$ai_proxy_consumer;
    proxy_pass @{[ $up->url('echo') ]}/; }
EOT
$gw->start;

my $chat = 'v1/chat/completions';
sub call {
    my ($path, $headers, %how) = @_;
    return $gw->client->post("$path/$chat" . ($how{query} // ''),
        chat_body(%{ $how{body} // {} }), headers => $headers // {},
        host => $how{host} // 'gateway.test');
}
sub is_key { return { 'x-api-key' => "sk-secret-key-$_[0]" } }

is(call('/plain')->{status}, 200, 'no rule, no key');
my $reply = call('/located');
my $error = check_error($reply, 401,
    qr/^Request denied by Key Auth check\. No API key found/, 'a rule');
is(Client::header($reply, 'WWW-Authenticate'), 'Key realm="MSE Gateway"',
    'and its challenge');
is(call('/located', is_key(1))->{status}, 200, 'who is allowed');
is(call('/located', {}, query => '?apikey=sk-secret-key-1')->{status}, 200,
    'by the query');
unlike(encode($up->last_request('a')), qr/sk-secret-key/, 'which ends here');
$reply = call('/located', is_key(2));
check_error($reply, 403, qr/Unauthorized consumer/, 'who is not');
is(Client::header($reply, 'WWW-Authenticate'), 'Key realm="MSE Gateway"',
    'with a challenge too');
check_error(call('/located', is_key(3)), 401, qr/Invalid API key/,
    'a key that nobody has');
check_error(call('/located', is_key(1), query => '?apikey=sk-secret-key-2'),
    401, qr/Multiple API keys/, 'two keys');
is(call('/plain', is_key(2), host => 'x.example.com')->{status}, 200,
    'a rule of a domain');
is(call('/plain', is_key(1), host => 'x.example.com')->{status}, 403,
    'which is the first');
is(call('/b', {})->{status}, 401, 'a rule of a service');
is(call('/b', { Authorization => 'Bearer sk-secret-literal' })->{status}, 200,
    'a credential as it stands in the field');
is(call('/b', { Authorization => 'Bearer sk-secret-key-2' })->{status}, 200,
    'or as clients have it');
is(call('/chat', is_key(1))->{status}, 403, 'an empty list is for nobody');
is(call('/off')->{status}, 200, 'off is for plugins too');
is(call('/all')->{status}, 401, 'global_auth is for all');
is(call('/all', is_key(1), body => { model => 'claude' })->{status}, 404,
    'models of a consumer come from its block');
is(call('/all', is_key(1))->{status}, 200, 'and hold beside the file');

$reply = call('/jwt', { Authorization => 'Bearer ' . token({ sub => 'u' }),
    'X-User' => 'root' });
is($reply->{status}, 200, 'a token') or diag($reply->{raw});
is(join('|', Upstream::header($up->last_request('a'), 'X-User')), 'u',
    'its claim is a header field');
is(call('/jwt', {}, query => '?access_token=' . token({}))->{status}, 200,
    'in the query');
unlike(encode($up->last_request('a')), qr/access_token/, 'which ends here');
check_error(call('/jwt'), 401,
    qr/^Request denied by JWT Auth check\. No token/, 'no token');
check_error(call('/jwt', { Authorization => 'Bearer '
    . token({ exp => time - 11 }) }), 401, qr/expired/, 'too old');
is(call('/jwt', { Authorization => 'Bearer ' . token({ exp => time - 5 }) })
    ->{status}, 200, 'within the skew');
check_error(call('/jwt', { Authorization => 'Bearer '
    . token({ iss => 'other' }) }), 401, qr/verification failed/,
    'another issuer');
is(call('/both', is_key(1))->{status}, 401, 'two plugins, one credential');
is(call('/both', { %{ is_key(1) }, Authorization => 'Bearer ' . token({}) })
    ->{status}, 200, 'and both');
$gw->client->get('/stock/x', headers => is_key(1));
is(Upstream::header($up->last_request('echo'), 'X-Mse-Consumer'), 'one',
    'for another module');
my @lines = $gw->log_lines('access.log', 20);
ok((grep { $_ eq "/located/$chat 200 one -" } @lines), 'the log knows who');
ok((grep { $_ eq "/located/$chat 403 - consumer_forbidden" } @lines),
    'and why not');

# What is wrong is said with its place.

my @wrong = (
    ['a rule that comes too late', $providers, "location / {\n"
        . "ai_proxy_plugin key-auth keys.yaml;\nai_proxy_pass b;\n}\n"
        . "location /x/ {\nai_proxy_pass two;\n"
        . "ai_proxy_plugin key-auth keys.yaml;\n}",
        qr/goes by route or service/,
        "ai_proxy_route two { provider a; provider b; }\n"],
    ['ai_proxy_consumers beside it',
        "ai_proxy_consumer one { key sk-other-key; }\n",
        "location /x/ {\nai_proxy_plugin key-auth keys.yaml;\n"
        . "ai_proxy_consumers one;\n}",
        qr/ai_proxy_consumers: there is no "ai_proxy_auth"/],
    ['an unknown field', $providers, 'ai_proxy_plugin key-auth bad.yaml;',
        qr{/bad.yaml:1: field "global": unknown field}],
);
$files{'bad.yaml'} = "global: true\n";
for my $case (@wrong) {
    my ($name, $http, $server, $said_of, $more) = @$case;
    my ($status, $said) = gateway(http => $http . ($more // ''),
        server => $server)->check;
    isnt($status, 0, "$name fails");
    like($said, $said_of, 'and says why');
    unlike($said, qr/sk-secret/, 'without a secret');
}

done($gw, $up);
