#!/usr/bin/perl

# The plugin ai-proxy: a file's active provider is the target of a location,
# by the file's rules, by another level, or by name; failover and retries.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    q => { json => chat_answer('from q') },
    a => { json => chat_answer('from a') },
    b => { json => chat_answer('from b') },
    c => { json => chat_answer('from c') },
    flaky => [{ status => 503, json => { error => { message => 'x' } } },
        { json => chat_answer('at last') }],
);

sub server_of {
    my ($name) = @_;
    my ($domain, $path) = $up->url($name) =~ m{^http://([^/]+)(/.*?)?/?$};
    return ($domain, $path // '');
}

# What a test adds to a provider of YAML so that it is here.
sub here {
    my ($name, $indent) = @_;
    my ($domain, $path) = server_of($name);
    return "${indent}base_url: http://$domain$path\n";
}

my $example = <<'EOF';
provider:
  type: qwen
  apiTokens:
    - sk-xxxxxxxxxxxxxxxxxxxxxx
  timeout: 1200000
  modelMapping:
    'gpt-3.5-turbo': qwen-turbo
    'gpt-4': qwen-max
    '*': qwen-max
EOF

# As it stands it is valid.

my $as_is = Gateway->new(http => "resolver 127.0.0.1;\n", server =>
    'location / { ai_proxy_plugin ai-proxy example.yaml; }');
$as_is->write_file('conf/example.yaml', $example);
my ($status, $said) = $as_is->check;
is($status, 0, 'the example loads as it stands') or diag($said);
unlike($said, qr/\[(warn|error|emerg)\]/, 'and silently');

my $mine = $example . here('q', '  ');

my $providers = "providers:\n" . join '', map {
    "- id: $_\n  type: openai\n  apiTokens: [key-$_]\n" . here($_, '  ')
} qw(a b c);

my $flaky = "provider:\n  id: flaky\n  type: openai\n"
    . "  apiTokens: [k1, k2, k3]\n" . here('flaky', '  ')
    . "  retryOnFailure: {enabled: true, maxRetries: 2,"
    . " retryOnStatus: ['^5']}\n";

my %files = (
    'mine.yaml' => $mine,
    'providers.yaml' => $providers,
    'a.yaml' => "activeProviderId: a\n",
    'rules.yaml' => <<'EOF',
activeProviderId: a
_rules_:
- _match_domain_: ["b.example.com"]
  activeProviderId: b
- _match_route_: [/ruled/]
  activeProviderId: c
EOF
    'some.yaml' => <<'EOF',
_rules_:
- _match_domain_: ["b.example.com"]
  activeProviderId: b
EOF
    'flaky.yaml' => $flaky,
);

my $gw = Gateway->new(
    http => zone() . <<'EOF',
ai_proxy_plugin ai-proxy providers.yaml;
ai_proxy_route named { provider b; }
EOF
    server => <<'EOF');
location /mine/ { ai_proxy_plugin ai-proxy mine.yaml; }
location /a/ { ai_proxy_plugin ai-proxy a.yaml; }
location /rules/ { ai_proxy_plugin ai-proxy rules.yaml; }
location /ruled/ { ai_proxy_plugin ai-proxy rules.yaml; }
location /some/ { ai_proxy_plugin ai-proxy some.yaml; return 418; }
location /else/ {
    ai_proxy_plugin ai-proxy some.yaml;
    proxy_pass http://127.0.0.1:%%PORT%%/a/;
}
location /pass/ { ai_proxy_pass c; }
location /named/ { ai_proxy_pass named; }
location /both/ { ai_proxy_pass c; ai_proxy_plugin ai-proxy a.yaml; }
location /flaky/ { ai_proxy_plugin ai-proxy flaky.yaml; }
EOF
$gw->write_file("conf/$_", $files{$_}) for keys %files;
$gw->start;

sub field {
    my ($sent, $name) = @_;
    my ($pair) = grep { lc $_->[0] eq $name } @{ $sent->{headers} };
    return $pair && $pair->[1];
}

sub ask {
    my ($location, %more) = @_;
    my $reply = $gw->client->post("/$location/v1/chat/completions",
        chat_body(model => $more{model} // 'gpt-4'),
        defined $more{host} ? (host => $more{host}) : ());
    return "status $reply->{status}" if $reply->{status} != 200;
    return decode($reply->{body})->{choices}[0]{message}{content};
}

is(ask('mine', model => 'gpt-3.5-turbo'), 'from q', 'a provider by itself');
my $request = $up->last_request('q');
is(decode($request->{body})->{model}, 'qwen-turbo', 'its map');
is(field($request, 'authorization'), 'Bearer sk-xxxxxxxxxxxxxxxxxxxxxx',
    'and its key');
is(ask('a'), 'from a', 'an active provider of the list above');
is(ask('rules'), 'from a', 'no rule');
is(ask('rules', host => 'b.example.com'), 'from b', 'a rule by domain');
is(ask('ruled'), 'from c', 'a rule by the name of the location');
is(ask('else'), 'from a', 'no rule: what else stands there');
is(ask('else', host => 'b.example.com'), 'from b', 'else the rule');
is(ask('pass'), 'from c', 'providers of a file have their ids as names');
is(ask('named'), 'from b', 'for routes too');
is(ask('both'), 'from c', 'ai_proxy_pass has the last word');

is(ask('flaky'), 'at last', 'retryOnFailure asks again');

# Wrong ones.

my @wrong = (
    ['activeProviderId: nosuch' =>
        qr{x.yaml:1: field "activeProviderId": unknown provider "nosuch"}],
    ['providers: [{id: p, type: mock}]' => qr/can make a provider active here/],
    ["activeProviderId: p\nproviders: [{id: p, type: mock}]\n_rules_: "
        . "[{_match_service_: [p.dns], activeProviderId: q}]" =>
        undef],
    ["provider: {type: nosuch}" => qr/unknown type "nosuch"/],
    ["provider: {type: openai, apiTokens: [k], maxToken: 3}" =>
        qr/x.yaml:1: field "provider.maxToken": unknown field/],
    ["provider: {type: openai, apiTokens: ['env:NOT_SET_AT_ALL']}" =>
        qr/"NOT_SET_AT_ALL" is not set/],
);
for my $case (@wrong) {
    my ($text, $expected) = @$case;
    my $bad = Gateway->new(server =>
        'location / { ai_proxy_plugin ai-proxy x.yaml; }');
    $bad->write_file('conf/x.yaml', "$text\n");
    my ($code, $words) = $bad->check;
    if (!defined $expected) {
        is($code, 0, 'right: ' . substr $text, 0, 40) or diag($words);
        next;
    }
    isnt($code, 0, "wrong: $text");
    like($words, $expected, 'and says why');
}
my $taken = Gateway->new(http => "ai_proxy_provider p { type mock; }\n"
    . 'ai_proxy_plugin ai-proxy x.yaml;');
$taken->write_file('conf/x.yaml', "providers: [{id: p, type: mock}]\n");
($status, $said) = $taken->check;
isnt($status, 0, 'a name that is taken');
like($said, qr/x.yaml:1: field "providers\[0\].id": duplicate name "p"/,
    'and says so');

done();
