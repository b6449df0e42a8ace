#!/usr/bin/perl

# Wrong configuration fails the check with the file, the line, what is wrong
# and where; right configuration passes.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $p = "ai_proxy_provider p { type mock; }\n";
my $loc = 'location / { ai_proxy_pass p; }';

# name, http context, server context, message, the offending word of the line
my @cases = (
    # providers
    ['unknown type', "ai_proxy_provider p {\n type nosuch;\n}", '',
        qr/unknown type "nosuch"/, 'type nosuch'],
    ['no type', "ai_proxy_provider p {\n}", '', qr/type/, 'ai_proxy_provider'],
    ['unknown field', "ai_proxy_provider p {\n type mock;\n frobnicate 1;\n}",
        '', qr/unknown field "frobnicate"/, 'frobnicate'],
    ['duplicate field', "ai_proxy_provider p {\n type mock;\n type openai;\n}",
        '', qr/"type" is duplicate/, 'type openai'],
    ['duplicate provider', $p . $p, '', qr/duplicate name "p"/],
    ['bad name', 'ai_proxy_provider "p q" { type mock; }', '',
        qr/invalid name "p q"/],
    ['a missing token', "ai_proxy_provider p {\n type openai;\n"
        . " base_url https://127.0.0.1;\n}\n"
        . "ai_proxy_provider q {\n type claude;\n}", '', qr/api_token/],
    ['a missing variable', "ai_proxy_provider p {\n type openai;\n"
        . " api_token env:AI_PROXY_TEST_NOT_SET;\n}", '',
        qr/"AI_PROXY_TEST_NOT_SET" is not set/, 'env:AI_PROXY_TEST_NOT_SET'],
    ['a missing secret file', "ai_proxy_provider p {\n type openai;\n"
        . " api_token file:/no/such/secret;\n}", '',
        qr{"/no/such/secret".*No such file}, 'file:/no/such/secret'],
    ['an empty token', "ai_proxy_provider p {\n type openai;\n"
        . " api_token \"\";\n}", '', qr/"api_token" is empty/],
    ['a token twice', "ai_proxy_provider p {\n type openai;\n"
        . " api_token k;\n api_token k;\n}", '',
        qr/"api_token" is duplicate/],
    ['a bad URL', "ai_proxy_provider p {\n type openai;\n"
        . " base_url ftp://x;\n}", '', qr{invalid value "ftp://x" in "base_url"},
        'base_url'],
    ['a bad port', "ai_proxy_provider p {\n type openai;\n"
        . " base_url http://127.0.0.1:99999;\n}", '', qr/base_url/, 'base_url'],
    ["a bad account", "ai_proxy_provider p {\n type cloudflare;\n"
        . " api_token k;\n cloudflare_account_id a/b;\n}", '',
        qr{invalid value "a/b" in "cloudflare_account_id"}, 'cloudflare_account_id'],
    ["no account", "ai_proxy_provider p {\n type cloudflare;\n"
        . " api_token k;\n}", '',
        qr/no "cloudflare_account_id"/],
    ["a bad bot type", "ai_proxy_provider p {\n type dify;\n"
        . " api_token k;\n bot_type robot;\n}", '',
        qr/invalid value "robot" in "bot_type": chat, agent/, 'bot_type'],
    ["no bot type", "ai_proxy_provider p {\n type dify;\n"
        . " api_token k;\n}", '',
        qr/no "bot_type"/],
    ["a workflow without variables", "ai_proxy_provider p {\n type dify;\n"
        . " api_token k;\n bot_type workflow;\n}", '',
        qr/"bot_type workflow" needs "input_variable"/],
    ["no target language", "ai_proxy_provider p {\n type deepl;\n"
        . " api_token k;\n}", '',
        qr/no "target_lang"/],
    ["a bad API type", "ai_proxy_provider p {\n type minimax;\n"
        . " api_token k;\n minimax_api_type v3;\n}", '',
        qr/invalid value "v3" in "minimax_api_type"/, 'minimax_api_type'],
    ["pro without a group", "ai_proxy_provider p {\n type minimax;\n"
        . " api_token k;\n minimax_api_type pro;\n}", '',
        qr/no "minimax_group_id"/],
    ["a short secret id", "ai_proxy_provider p {\n type hunyuan;\n"
        . " hunyuan_auth_id abc;\n}", '',
        qr/"hunyuan_auth_id" must have 36 characters/, 'hunyuan_auth_id'],
    ["a bad protocol", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n protocol own;\n}", '',
        qr/invalid value "own" in "protocol"/, 'protocol'],
    ["a bad capability", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n capability chat /x;\n}", '',
        qr/invalid value "chat" in "capability"/, 'capability'],
    ["a bad capability path", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n capability openai/v1/embeddings x;\n}", '',
        qr/invalid value "x" in "capability"/, 'capability'],
    ["a bad base path", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n base_path x/../y;\n}", '',
        qr{invalid value "x/../y" in "base_path"}, 'base_path'],
    ["a bad base path handling", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n base_path_handling cut;\n}", '',
        qr/invalid value "cut" in "base_path_handling"/, 'base_path_handling'],
    ["a bad provider base path", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n provider_base_path //x y;\n}", '',
        qr/invalid number of arguments in "provider_base_path"/, 'provider_base_path'],
    ["a bad domain", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n provider_domain a/b;\n}", '',
        qr{invalid value "a/b" in "provider_domain"}, 'provider_domain'],
    ["an unknown setting", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n custom_setting top 1;\n}", '',
        qr/invalid value "top" in "custom_setting"/, 'custom_setting'],
    ["a forbidden setting", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n custom_setting model x mode=raw;\n}", '',
        qr/invalid value "model" in "custom_setting": this member/, 'custom_setting'],
    ["a bad setting mode", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n custom_setting seed 1 mode=odd;\n}", '',
        qr/invalid value "mode=odd" in "custom_setting"/, 'custom_setting'],
    ["a bad reasoning mode", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n reasoning_content_mode loud;\n}", '',
        qr/invalid value "loud" in "reasoning_content_mode"/, 'reasoning_content_mode'],
    ["a missing context file", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n context_file /no/such/context;\n}", '',
        qr{"/no/such/context".*No such file}, 'context_file'],
    ["a bad developer role", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n developer_role maybe;\n}", '',
        qr/invalid value "maybe" in "developer_role"/, 'developer_role'],
    ["another type's field", "ai_proxy_provider p {\n type deepseek;\n"
        . " api_token k;\n target_lang DE;\n}", '',
        qr/field "target_lang" does not belong to type "deepseek"/, 'target_lang'],
    ['a bad selection of keys', "ai_proxy_provider p {\n type mock;\n"
        . " key_select luck;\n}", '',
        qr/invalid value "luck" in "key_select": random or least_used/,
        'key_select'],
    (map {
        my ($line, $fault) = @$_;
        ["the line \"$line\"", "ai_proxy_provider p {\n type mock;\n"
            . " $line;\n}", '', $fault, $line =~ s/ .*//r]
    } ['key_cooldown 1s fails=0', qr/invalid value "0" in "fails"/],
        ['key_cooldown 1s on=200', qr/invalid value "200" in "on": statuses/],
        ['key_cooldown 1s on=401,', qr/invalid value "401," in "on"/],
        ['breaker 0%', qr/invalid value "0%" in "breaker": a share like "50%"/],
        ['breaker 50% often=3', qr/unknown parameter "often=3" in "breaker"/],
        ['breaker 50% window=1ms', qr/invalid value "1ms" in "window": a time/],
        ['breaker 50% open=5s..1s', qr/invalid value "5s..1s" in "open"/],
        ['concurrency 0', qr/invalid value "0" in "concurrency": a number/],
        ['concurrency 1 queue=1 queue=2',
            qr/"queue" in "concurrency" is duplicate/],
        ['concurrency 1 timeout=1s', qr/"timeout" needs "queue"/],
        ['health_check interval=1s', qr/"health_check" needs "model"/],
        ['health_check model=m fails=0', qr/invalid value "0" in "fails"/],
        ['key_concurrency many',
            qr/invalid value "many" in "key_concurrency"/]),
    ['a check of the mock', "ai_proxy_provider p {\n type mock;\n"
        . " health_check model=m;\n}", '',
        qr/"health_check" needs a provider that has an address/],
    ['a bad cooldown', "ai_proxy_provider p {\n type mock;\n"
        . " key_cooldown 5s..1s;\n}", '',
        qr/invalid value "5s..1s" in "key_cooldown": a range/, 'key_cooldown'],
    ['a bad duration', "ai_proxy_provider p {\n type mock;\n"
        . " timeout idle=soon;\n}", '',
        qr/invalid value "soon" in "timeout"/, 'timeout'],
    ['an unknown timeout', "ai_proxy_provider p {\n type mock;\n"
        . " timeout never=1s;\n}", '',
        qr/invalid value "never=1s" in "timeout"/, 'timeout'],
    ['a bad flag', "ai_proxy_provider p {\n type mock;\n"
        . " ssl_verify maybe;\n}", '',
        qr/invalid value "maybe" in "ssl_verify"/, 'ssl_verify'],
    ['a missing CA', "ai_proxy_provider p {\n type openai;\n api_token k;\n"
        . " base_url https://127.0.0.1;\n"
        . " ssl_trusted_certificate /no/such/ca.crt;\n}", $loc,
        qr{/no/such/ca.crt}],
    ['a bad regex', "ai_proxy_provider p {\n type mock;\n"
        . ' model_map "~(" x;' . "\n}", '', qr/model_map|regex|pattern/i,
        'model_map'],
    ['a group that is not there', "ai_proxy_provider p {\n type mock;\n"
        . ' model_map "~^a(b)$" x-$2;' . "\n}", '', qr/\$?2|group/,
        'model_map'],
    ['a model twice', "ai_proxy_provider p {\n type mock;\n"
        . " model_map a b;\n model_map a c;\n}", '', qr/duplicate/,
        'model_map a c'],
    ["another type's field", "ai_proxy_provider p {\n type mock;\n"
        . " azure_service_url https://x;\n}", '',
        qr/azure_service_url/, 'azure_service_url'],
    ['azure without URL', "ai_proxy_provider p {\n type azure;\n"
        . " api_token k;\n}", '', qr/azure_service_url/],
    ['azure without version', "ai_proxy_provider p {\n type azure;\n"
        . " api_token k;\n azure_service_url https://r.example/;\n}", '',
        qr/api-version/],
    ['ollama without host', "ai_proxy_provider p {\n type ollama;\n}", '',
        qr/ollama/],
    ['a mock status', "ai_proxy_provider p {\n type mock;\n status 42;\n}", '',
        qr/invalid value "42" in "status"/, 'status'],
    ['too few words', "ai_proxy_provider p {\n type;\n}", '',
        qr/invalid number of arguments in "type"/, 'type'],

    # the client's side
    ['a policy that is none', $p, "ai_proxy_client_abort maybe;\n$loc",
        qr/invalid parameter "maybe"/, 'maybe'],
    ['a parameter of drain', $p, "ai_proxy_client_abort cancel time=1s;\n$loc",
        qr/invalid parameter "time=1s"/, 'time=1s'],
    ['a bad time of drain', $p, "ai_proxy_client_abort drain time=soon;\n$loc",
        qr/invalid parameter "time=soon"/, 'time=soon'],
    ['a bad size of drain', $p, "ai_proxy_client_abort drain size=0;\n$loc",
        qr/invalid parameter "size=0"/, 'size=0'],
    ['a policy twice', $p,
        "ai_proxy_client_abort cancel;\nai_proxy_client_abort drain;\n$loc",
        qr/"ai_proxy_client_abort" directive is duplicate/, 'abort drain'],
    ['a bad interval', $p, "ai_proxy_keepalive_interval often;\n$loc",
        qr/invalid parameter "often"/, 'often'],
    ['an interval that is too short', $p,
        "ai_proxy_keepalive_interval 5ms;\n$loc",
        qr/invalid parameter "5ms"/, '5ms'],
    ['a parameter of off', $p,
        "ai_proxy_keepalive_interval off before_answer;\n$loc",
        qr/invalid parameter "before_answer"/, 'before_answer'],
    ['a bad parameter', $p, "ai_proxy_keepalive_interval 5s always;\n$loc",
        qr/invalid parameter "always"/, 'always'],

    # routes
    ['an empty route', "$p ai_proxy_route r {\n match x;\n}", '',
        qr/no "provider" in route "r"/],
    ['a route of nobody', "$p ai_proxy_route r {\n provider nobody;\n}", '',
        qr/unknown provider "nobody"/, 'provider nobody'],
    ['a bad weight', "$p ai_proxy_route r {\n provider p weight=0;\n}", '',
        qr/invalid value "0" in "weight"/, 'weight=0'],
    ['a hash of a word', "$p ai_proxy_route r {\n provider p;\n"
        . " balance hash x;\n}", '',
        qr/invalid value "x" in "balance": a variable/, 'balance'],
    ['a deadline without a time', "$p ai_proxy_route r {\n provider p;\n"
        . " deadline soon;\n}", '',
        qr/invalid value "soon" in "deadline": a time up to 24h/, 'deadline'],
    ['a hedge at no time', "$p ai_proxy_route r {\n provider p;\n"
        . " hedge budget=5%;\n}", '', qr/"hedge" needs "after"/, 'hedge'],
    ['an unknown parameter', "$p ai_proxy_route r {\n provider p speed=1;\n}",
        '', qr/unknown parameter "speed=1"/, 'speed=1'],
    ['a bad on=', "$p ai_proxy_route r {\n provider p;\n"
        . " fallback p model=x on=99;\n}", '', qr/on|99/, 'on=99'],
    ['a bad balance', "$p ai_proxy_route r {\n provider p;\n balance luck;\n}",
        '', qr/invalid value "luck" in "balance"/, 'balance'],
    ['a bad retry', "$p ai_proxy_route r {\n provider p;\n retry many;\n}",
        '', qr/invalid value "many" in "retry"/, 'retry'],
    ['a bad backoff', "$p ai_proxy_route r {\n provider p;\n"
        . " retry 1 backoff=5s..1s;\n}", '', qr/backoff/, 'retry'],
    ["a route named as a provider", "$p ai_proxy_route p {\n provider p;\n}",
        '', qr/duplicate name "p"/],
    ['an unknown field of a route', "$p ai_proxy_route r {\n provider p;\n"
        . " colour red;\n}", '', qr/unknown field "colour"/, 'colour'],

    # locations
    ['pass to nobody', $p, 'location / { ai_proxy_pass nobody; }',
        qr/unknown route or provider "nobody"/, 'ai_proxy_pass'],
    ['pass twice', $p, "location / { ai_proxy_pass p;\n ai_proxy_pass p; }",
        qr/"ai_proxy_pass" directive is duplicate/],
    ['pass in a server', $p, 'ai_proxy_pass p;',
        qr/"ai_proxy_pass" directive is not allowed here/],
    ['a provider in a server', '', 'ai_proxy_provider p { type mock; }',
        qr/"ai_proxy_provider" directive is not allowed here/],
    ['pass without name', $p, 'location / { ai_proxy_pass; }',
        qr/invalid number of arguments in "ai_proxy_pass"/],
    ['fallback to nobody', $p,
        "location / { ai_proxy_pass p;\n ai_proxy_fallback nobody; }",
        qr/unknown provider "nobody"/, 'ai_proxy_fallback'],
    (map {
        my ($words, $fault) = @$_;
        ["ai_proxy_concurrency $words", $p, "location / { ai_proxy_pass p;\n"
            . " ai_proxy_concurrency $words; }", $fault, 'ai_proxy_concurrency']
    } ['x limit=1', qr/ai_proxy_concurrency: invalid value "x" in "key"/],
        ['$remote_addr', qr/ai_proxy_concurrency: "limit" is missing/],
        ['$remote_addr limit=0', qr/invalid value "0" in "limit": a number/]),
    (map {
        my ($words, $fault) = @$_;
        ["ai_proxy_token_limit $words", zone() . $p, "location / {\n"
            . " ai_proxy_pass p;\n ai_proxy_token_limit $words; }", $fault,
            'ai_proxy_token_limit']
    } ['key=a rate=1', qr/ai_proxy_token_limit: invalid value "1" in "rate"/],
        ['key=a rate=1/m store=nobody',
            qr/invalid value "nobody" in "store": zone or an ai_proxy_redis/],
        ['key=a count=all', qr/invalid value "all" in "count": total, input/],
        ['key=a rate=1/m exhausted=stop',
            qr/invalid value "stop" in "exhausted": finish or end is exp/],
        ['key=a rate=1.5/m', qr/value "1.5\/m" in "rate": a number of tokens/],
        ['key=a rate=1k/m count=cost', qr/value "1k\/m" in "rate": dollars up/],
        ['key=a rate=4001/d count=cost', qr/"4001\/d" in "rate": dollars up/],
        ['rate=1/m mode=log', qr/ai_proxy_token_limit: "key" is missing/],
        ['key=a rate=1/m x=y', qr/unknown parameter "x=y" in "ai_proxy_to/]),
    (map {
        my ($words, $fault) = @$_;
        ["ai_proxy_price $words", $p, "location / {\n ai_proxy_pass p;\n"
            . " ai_proxy_price $words; }", $fault, 'ai_proxy_price']
    } ['m input=1', qr/ai_proxy_price: "output" is missing/],
        ['m input=1 output=x', qr/invalid value "x" in "output": dollars for a/],
        ['m input=1 output=1 provider=q', qr/unknown provider "q"/],
        ['m input=1 output=1 x=y', qr/unknown parameter "x=y" in "ai_proxy_pr/]),
    ['a limit without a zone', $p, "location / { ai_proxy_pass p;\n"
        . ' ai_proxy_token_limit key=a rate=1/m; }',
        qr/"ai_proxy_token_limit" requires "ai_proxy_zone"/,
        'ai_proxy_token_limit'],
    ['a location map with a bad regex', $p, "location / { ai_proxy_pass p;\n"
        . ' ai_proxy_model_map "~[" x; }', qr/ai_proxy_model_map/,
        'ai_proxy_model_map'],
    ['a flag that is none', $p,
        "location / { ai_proxy_pass p;\n ai_proxy_strict maybe; }",
        qr/invalid value "maybe" in "ai_proxy_strict" directive/],
    ['a route that is never reached', $p . "ai_proxy_provider q {type mock;}",
        'location / { ai_proxy_pass p q; }', qr/"q" is never reached/],

    # consumers
    (map {
        my ($words, $fault, $word) = @$_;
        ["consumer: $words", "ai_proxy_consumer c {\n $words\n}", '',
            qr/ai_proxy_consumer "c": .*$fault/, $word]
    } ['frob 1;', qr/unknown field "frob"/, 'frob'],
        ['key;', qr/invalid number of arguments in "key"/, 'key'],
        ['key "a b";', qr/invalid "key": it has characters/, 'key'],
        ['key "";', qr/"key" is empty|invalid "key": it is empty/, 'key'],
        ['key env:AI_PROXY_TEST_NOT_SET;', qr/"AI_PROXY_TEST_NOT_SET" is not/],
        ["key a;\n key a;", qr/"key" is duplicate/, 'key'],
        ['models;', qr/invalid number of arguments in "models"/],
        ["jwt_issuer a;\n jwt_issuer b;", qr/"jwt_issuer" is duplicate/],
        ['jwt_issuer a;', qr/"jwt_issuer" needs "jwt_jwks"/,
            'ai_proxy_consumer'],
        ['jwt_jwks file:/no/such/keys;', qr/no.such.keys.*No such file/,
            'jwt_jwks'],
        ['jwt_jwks \'{"keys":[]}\';', qr/invalid "jwt_jwks": the key set has no/],
        ['jwt_jwks \'{"kty":"oct","k":"a="}\';',
            qr/key 0 of the key set: member "k"/, 'jwt_jwks'],
        ['jwt_clock_skew 1500ms;', qr/invalid value "1500ms" in "jwt_clock/],
        ['jwt_header sub Host;', qr/invalid value "Host" in "jwt_header"/],
        ['jwt_header sub X-U override=no;', qr/unknown parameter "override=no/]
    ),
    ['a consumer twice', "ai_proxy_consumer c { key a; }\n"
        . "ai_proxy_consumer c { key b; }", '', qr/duplicate consumer "c"/],
    ['a key of two', "ai_proxy_consumer c { key a; }\n"
        . "ai_proxy_consumer d {\n key a;\n}", '',
        qr/"key" is that of consumer "c" too/, 'key a'],
    ['a consumer without name', 'ai_proxy_consumer { key a; }', '',
        qr/invalid number of arguments in "ai_proxy_consumer"/],
    ['a consumer with a bad name', 'ai_proxy_consumer "a b" { key a; }', '',
        qr/invalid name "a b"/],
    (map {
        my ($words, $fault) = @$_;
        ["ai_proxy_auth $words", $p . "ai_proxy_consumer c { key a; }\n",
            "location / { ai_proxy_pass p;\n ai_proxy_auth $words; }",
            $fault, 'ai_proxy_auth']
    } ['on', qr/ai_proxy_auth: unknown parameter "on"/],
        ['header=a', qr/ai_proxy_auth: one of "key", "jwt" or "off"/],
        ['off key', qr/"off" excludes other parameters/],
        ['key key', qr/"key" is duplicate/],
        ['key header=a:b', qr/invalid value "a:b" in "header"/],
        ['key header=a header=A', qr/"header=A" is duplicate/],
        ['key realm=', qr/invalid value "" in "realm"/],
        ['jwt', qr/no ai_proxy_consumer has a "jwt_jwks"/]),
    ['auth without consumers', $p,
        "location / { ai_proxy_pass p;\n ai_proxy_auth key; }",
        qr/no ai_proxy_consumer has a "key"/, 'ai_proxy_auth'],
    ['auth twice', 'ai_proxy_consumer c { key a; }',
        "ai_proxy_auth key;\nai_proxy_auth off;",
        qr/"ai_proxy_auth" directive is duplicate/],
    ['an unknown consumer', $p . 'ai_proxy_consumer c { key a; }',
        "ai_proxy_auth key;\nlocation / { ai_proxy_pass p;\n"
        . " ai_proxy_consumers c d; }",
        qr/ai_proxy_consumers: unknown consumer "d"/, 'ai_proxy_consumers'],
    ['consumers without auth', $p . 'ai_proxy_consumer c { key a; }',
        "location / { ai_proxy_pass p;\n ai_proxy_consumers c; }",
        qr/ai_proxy_consumers: there is no "ai_proxy_auth"/,
        'ai_proxy_consumers'],

    # zone and pages
    ['a zone without size', 'ai_proxy_zone ai;', '',
        qr/invalid number of arguments in "ai_proxy_zone"/],
    ['a bad size', 'ai_proxy_zone ai big;', '', qr/invalid zone size|"big"/],
    ['a tiny zone', 'ai_proxy_zone ai 1k;', '', qr/zone.*(small|size)/],
    ['a zone twice', "ai_proxy_zone ai 1m;\nai_proxy_zone ai 1m;", '',
        qr/duplicate/],
    ['metrics without zone', $p, 'location /m { ai_proxy_metrics; }',
        qr/ai_proxy_zone/],
    ['status without zone', $p, 'location /s { ai_proxy_status; }',
        qr/ai_proxy_zone/],
    ['metrics with words', zone(), 'location /m { ai_proxy_metrics x; }',
        qr/invalid number of arguments in "ai_proxy_metrics"/],
);

for my $case (@cases) {
    my ($name, $http, $server, $message, $word) = @$case;
    my $gw = Gateway->new(http => $http, server => $server);
    my ($status, $said) = $gw->check;
    my ($line) = grep { /\[emerg\]/ } split /\n/, $said;
    $line //= '';
    my @wrong;
    push @wrong, 'the check passes' if $status == 0;
    push @wrong, "it says: $line" unless $line =~ $message;
    push @wrong, "no file and line: $line"
        unless $line =~ m{ in \S*nginx\.conf:(\d+)};
    if ($word && $line =~ m{ in \S*nginx\.conf:(\d+)}) {
        # The line number leads to the word.
        my @text = split /\n/, Gateway::slurp($gw->{conf});
        my $text = $text[$1 - 1] // '';
        push @wrong, "line $1 is: $text" unless index($text, $word) >= 0;
    }
    push @wrong, 'a crash' if $status > 1 && $status != 1;
    ok(!@wrong, $name) or diag(join "\n", @wrong, $said);
}

# A secret in a wrong place is not repeated.

my $gw = Gateway->new(http => "ai_proxy_provider p {\n type openai;\n"
    . " api_token sk-secret-1;\n api_token sk-secret-1;\n}");
my ($status, $said) = $gw->check;
isnt($status, 0, 'a duplicate token fails');
unlike($said, qr/sk-secret/, 'and is not repeated');

# What is right passes, without a word.

my %right = (
    'every timeout' => "ai_proxy_provider p { type mock;\n"
        . " timeout connect=1s first_byte=200ms idle=1m total=1h; }",
    'several tokens' => "ai_proxy_provider p { type openai;\n"
        . " base_url http://127.0.0.1:1;\n"
        . " api_token a;\n api_token b; }",
    'a full route' => $p . "ai_proxy_provider q { type mock; }\n"
        . "ai_proxy_route r {\n match gpt-* claude-*;\n"
        . " provider p weight=80;\n provider q weight=20 model=x;\n"
        . " fallback q model=y on=429,5xx,timeout,error;\n"
        . " balance weighted;\n retry 2 backoff=200ms..5s;\n}",
    'use before definition' => "server { listen 127.0.0.1:%%PORT2%%;\n"
        . " location / { ai_proxy_pass p; } }\n$p",
    'nothing at all' => '',
);
for my $name (sort keys %right) {
    my $gw = Gateway->new(http => $right{$name});
    my ($status, $said) = $gw->check;
    is($status, 0, "right: $name") or diag($said);
    unlike($said, qr/\[(warn|error|crit|alert|emerg)\]/, 'and silent');
}

# Verification switched off warns.

$gw = Gateway->new(http => "ai_proxy_provider p { type openai;\n"
    . " api_token k; base_url https://127.0.0.1:1; ssl_verify off; }",
    server => $loc);
($status, $said) = $gw->check;
is($status, 0, 'ssl_verify off is possible');
like($said, qr/\[warn\].*ssl_verify/, 'with a warning');

done();
