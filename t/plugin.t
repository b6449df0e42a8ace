#!/usr/bin/perl

# ai_proxy_plugin: files as Higress takes them, where they hold, what is said
# of wrong ones; the thinnest of the plugins, model-mapper, end to end.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(a => { json => chat_answer('a') },
    b => { json => chat_answer('b') });

my %files = (
    'outer.yaml' => <<'EOF',
modelMapping:
  'gpt-4-*': qwen-max
  'gpt-*': qwen-turbo
  gpt-4o: qwen-vl-plus
  same: ''
  '*': qwen-plus
EOF
    'inner.yaml' => "modelMapping: {gpt-4o: inner}\n",
    'rules.yaml' => <<'EOF',
modelMapping: {m: global}
_rules_:
- _match_domain_: ["*.example.com"]
  modelMapping: {m: by-domain}
- _match_route_: [chat]
  _match_service_: [llm-b.internal.dns]
  modelMapping: {m: by-route-and-service}
- _match_route_: [/located/]
  modelMapping: {m: by-location}
- _match_service_: [b.static]
  modelMapping: {m: by-service}
EOF
    'paths.yaml' => "modelMapping: {m: mapped}\n"
        . "enableOnPathSuffix: [/embeddings]\n",
    'resource.yaml' => <<'EOF',
apiVersion: extensions.higress.io/v1alpha1
kind: WasmPlugin
metadata: {name: model-mapper}
spec:
  defaultConfig: {modelMapping: {m: from-resource}}
  matchRules:
  - domain: [ruled.com]
    config: {modelMapping: {m: from-match-rule}}
EOF
);

sub gateway {
    my (%args) = @_;
    my $gw = Gateway->new(%args);
    $gw->write_file("conf/$_", $files{$_}) for keys %files;
    return $gw;
}

my $gw = gateway(
    http => zone()
        . provider(a => openai => $up->url('a'))
        . provider(b => openai => $up->url('b'), 'model_map inner provided;')
        . "ai_proxy_route chat { provider b; }\n"
        . "ai_proxy_plugin model-mapper outer.yaml;\n",
    server => <<'EOF');
location /a/ { ai_proxy_pass a; }
location /b/ { ai_proxy_pass b; ai_proxy_plugin model-mapper inner.yaml; }
location /rules/ { ai_proxy_pass a; ai_proxy_plugin model-mapper rules.yaml; }
location /rb/ { ai_proxy_pass b; ai_proxy_plugin model-mapper rules.yaml; }
location /chat/ { ai_proxy_pass chat; ai_proxy_plugin model-mapper rules.yaml; }
location /located/ {
    ai_proxy_pass a;
    ai_proxy_plugin model-mapper rules.yaml;
}
location /paths/ { ai_proxy_pass a; ai_proxy_plugin model-mapper paths.yaml; }
location /resource/ {
    ai_proxy_pass a;
    ai_proxy_plugin model-mapper resource.yaml;
}
EOF
$gw->start;

sub sent {
    my ($location, $model, %more) = @_;
    my $name = $more{name} // 'a';
    $up->clear;
    my @head = defined $more{host} ? (host => $more{host}) : ();
    my $body = $more{body} // chat_body(model => $model);
    my $reply = $gw->client->post("/$location/v1/chat/completions", $body,
        @head);
    return "status $reply->{status}: $reply->{body}"
        if $reply->{status} != 200;
    my $request = $up->last_request($name) or return 'no request';
    return decode($request->{body})->{model};
}

is(sent('a', 'gpt-4o'), 'qwen-vl-plus', 'exact, from the level of http');
is(sent('a', 'gpt-4-x'), 'qwen-turbo', 'the first prefix by its key');
is(sent('a', 'other'), 'qwen-plus', 'the default');
is(sent('a', 'same'), 'same', 'an empty target keeps the name');
is(sent('a', '', body => encode({ messages =>
    [{ role => 'user', content => 'x' }] })), 'qwen-plus',
    'a model that is missing is the default');
is(sent('b', 'gpt-4o', name => 'b'), 'provided',
    "the nearer file holds, and the provider's own map after it");
is(sent('b', 'other', name => 'b'), 'other', 'the outer one does not');

is(sent('rules', 'm'), 'global', 'no rule: the global part');
is(sent('rules', 'm', host => 'x.example.com:8080'), 'by-domain', 'a domain');
is(sent('rules', 'm', host => 'X.Example.COM'), 'by-domain',
    'in whatever case');
is(sent('chat', 'm', name => 'b'), 'by-route-and-service',
    'a route and a service');
is(sent('located', 'm'), 'by-location', 'a location by its name');
is(sent('rb', 'm', name => 'b'), 'by-service', 'a service');
is(sent('paths', 'm'), 'm', 'a path that is not looked at');
is(sent('resource', 'm'), 'from-resource', 'a resource of Kubernetes');
is(sent('resource', 'm', host => 'ruled.com'), 'from-match-rule',
    'and a rule of it');

# What is wrong is said with its place.

my @wrong = (
    ['nosuch good.yaml' => qr/unknown plugin "nosuch" \(known:.* model-mapper/],
    ['model-mapper missing.yaml'
        => qr{cannot open file ".*/missing.yaml": No such file}],
    ['model-mapper broken.yaml' => qr{/broken.yaml:2: },
        "modelMapping:\n  a: 'b\n"],
    ['model-mapper unknown.yaml'
        => qr{/unknown.yaml:2: field "modelMaping": unknown field},
        "modelKey: model\nmodelMaping: {}\n"],
    ['model-mapper rule.yaml'
        => qr{/rule.yaml:3: field "_rules_\[0\].modelKey": the name},
        "_rules_:\n- _match_route_: [r]\n  modelKey: ''\n"],
    ['model-mapper list.yaml' => qr{/list.yaml:1: a mapping is expected},
        "- a\n"],
);
for my $case (@wrong) {
    my ($words, $said_of, $text) = @$case;
    my $bad = gateway(server => "ai_proxy_plugin $words;");
    my ($file) = $words =~ / (\S+)$/;
    $bad->write_file("conf/$file", $text) if defined $text;
    my ($status, $said) = $bad->check;
    isnt($status, 0, "$words fails");
    like($said, $said_of, 'and says why');
    like($said, qr{in \S+/conf/nginx\.conf:\d+}, 'and where');
}

my $twice = gateway(server => "ai_proxy_plugin model-mapper inner.yaml;\n"
    . "ai_proxy_plugin model-mapper outer.yaml;\n");
my ($status, $said) = $twice->check;
isnt($status, 0, 'a plugin twice on a level fails');
like($said, qr/the plugin "model-mapper" is duplicate/, 'and says so');

done();
