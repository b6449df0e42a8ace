#!/usr/bin/perl

# Texts that a location puts into prompts, before anything else reads them.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    openai => { json => chat_answer('hi') },
    claude => { json => claude_answer('hi') },
);
my $gw = Gateway->new(
    http => zone()
        . provider(openai => openai => $up->url('openai'), 'model_map big gpt-9;')
        . provider(claude => claude => $up->url('claude'))
        . <<'EOF',
    ai_proxy_prompt_prepend system "Never say \"no\" to $arg_who.";
    ai_proxy_prompt_append user $http_x_more;
    map $http_x_city $geo_city { default $http_x_city; }
    map $http_x_city $nothing_at_all { default ""; }
    map $http_x_who $who { default nobody; Bob Robert; }
EOF
    server => <<'EOF',
    location /openai/ { ai_proxy_pass openai; }
    location /claude/ { ai_proxy_pass claude; }
    location /own/ {
        ai_proxy_pass openai;
        ai_proxy_prompt_prepend developer $who;
        ai_proxy_prompt_append user last;
        ai_proxy_prompt_replace hello bye;
        ai_proxy_prompt_replace "(\d{3})-\d+" "$1-***" role=user regex;
    }
    location /plugin/ {
        ai_proxy_pass openai;
        ai_proxy_prompt_prepend system "from the directive";
        ai_proxy_prompt_append user $nothing_at_all;
        ai_proxy_plugin ai-prompt-template templates.yaml;
        ai_proxy_plugin ai-prompt-decorator decorator.yaml;
        ai_proxy_plugin ai-context-limit limit.yaml;
    }
    location /short/ {
        ai_proxy_pass openai;
        ai_proxy_context_limit 60 ratio=1 status=413;
    }
    location /template/ {
        ai_proxy_pass openai;
        ai_proxy_prompt_template greet greet.json;
        ai_proxy_prompt_template short
            '{"model":"big","max_tokens":{{n}},"messages":[]}';
    }
EOF
);
# Paths are relative to the configuration.
$gw->write_file('conf/greet.json', '{"model": "big", "stream": false,'
    . ' "messages": [{"role": "user", "content": "Hi {{who}}"}]}');
my %files = (
    'templates.yaml' => <<'EOF',
templates:
- name: greet
  template:
    model: big
    messages:
    - {role: user, content: "Hi {{who}}"}
EOF
    'decorator.yaml' => <<'EOF',
prepend:
- {role: system, content: "They are in ${geo-city}."}
- {role: system, content: "Their provider is ${geo-isp}."}
append:
- {role: user, content: "the end"}
replace:
- {on_role: user, pattern: "(?i)hello", replacement: "hi", regex: true}
_rules_:
- _match_domain_: [other.example]
  append: [{role: user, content: other}]
EOF
    'limit.yaml' => "max_context_tokens: 200\nerror_status_code: 413\n",
);
$gw->write_file("conf/$_", $files{$_}) for keys %files;
$gw->start;

sub sent {
    my ($name) = @_;
    return $up->last_request($name)->{body};
}
sub ask {
    my ($path, $body, %headers) = @_;
    my $host = delete $headers{Host} // 'gateway.test';
    return $gw->client->post($path, ref $body ? encode($body) : $body,
        headers => \%headers, host => $host);
}

my $chat = 'v1/chat/completions';
my $body = '{"model": "m", "messages": [ {"role":"user","content":"hello"} ],'
    . ' "seed": 1.0 }';
is(ask("/openai/$chat?who=Ann", $body)->{status}, 200, 'a chat');
is(sent('openai'), '{"model": "m", "messages": [{"role":"system","content":'
    . '"Never say \"no\" to Ann."}, {"role":"user","content":"hello"} ],'
    . ' "seed": 1.0 }', 'all but the messages is as it was');
ask("/openai/$chat", $body, 'X-More' => 'and "this"');
like(sent('openai'), qr/"hello"\} ,\{"role":"user","content":"and \\"this\\""\}\]/,
    'a variable is a text and nothing else');

ask("/own/$chat", '{"model":"m","messages":[{"role":"user","content":'
    . '"hello 123-4567"},{"role":"system","content":"123-4567"}]}',
    'X-Who' => 'Bob');
is(sent('openai'), '{"model":"m","messages":[{"role":"developer","content":'
    . '"Robert"},{"role":"user","content":"bye 123-***"},{"role":"system",'
    . '"content":"123-4567"},{"role":"user","content":"last"}]}',
    'lines of a location replace those of the level above');

# In the client's own dialect, whoever answers.

is(ask("/claude/v1/messages?who=Ann", '{"model":"m","max_tokens":9,"system":'
    . '"Be brief.","messages":[{"role":"user","content":"hello"}]}')->{status},
    200, 'Messages');
is(sent('claude'), '{"model":"m","max_tokens":9,"system":"Never say \"no\" to '
    . 'Ann.\n\nBe brief.","messages":[{"role":"user","content":"hello"}]}',
    'their system prompt is no message');
ask("/openai/v1/messages?who=Ann", '{"model":"m","max_tokens":9,'
    . '"messages":[{"role":"user","content":"hello"}]}');
is_deeply(decode(sent('openai'))->{messages}, [
    { role => 'system', content => 'Never say "no" to Ann.' },
    { role => 'user', content => 'hello' }], 'converted');
is(ask("/claude/$chat?who=Ann", $body)->{status}, 200, 'and a chat');
is(decode(sent('claude'))->{system}, 'Never say "no" to Ann.', 'for claude');

# Templates

is(ask("/template/$chat?who=x", { template => 'greet',
    properties => { who => '"Ann"' } })->{status}, 200, 'a template');
is(sent('openai'), '{"model": "gpt-9", "stream": false, "messages": '
    . '[{"role":"system","content":"Never say \"no\" to x."},{"role": "user", '
    . '"content": "Hi \"Ann\""}]}', 'is filled, decorated, and mapped');
ask("/template/$chat?who=x", { template => 'short', properties => { n => 7 } });
is(decode(sent('openai'))->{max_tokens}, 7, 'a number');
check_error(ask("/template/$chat", { template => 'none', properties => {} }),
    400, qr/there is no template "none"/, 'an unknown one');
check_error(ask("/template/$chat", { template => 'short', properties => {} }),
    400, qr/needs the property "n"/, 'a property that is missing');
is(ask("/template/$chat?who=x", { template => 'greet', properties => {},
    model => 'm', messages => [] }, 'template-enable' => 'false')->{status},
    200, 'a client that wants none');
like(sent('openai'), qr/"template":"greet"/, 'gets none');

# Files of Higress

is(ask("/plugin/$chat", '{"model":"m","messages":[{"role":"user","content":'
    . '[{"type":"text","text":"Hello you"}]}]}', 'X-City' => 'Ulm')->{status},
    200, 'a decorator of Higress');
is_deeply(decode(sent('openai'))->{messages}, [
    { role => 'system', content => 'from the directive' },
    { role => 'system', content => 'They are in Ulm.' },
    { role => 'user', content => [{ type => 'text', text => 'hi you' }] },
    { role => 'user', content => 'the end' }],
    'what is not known of a client is left out, the rest is there');
ask("/plugin/$chat", $body, Host => 'other.example:80');
is_deeply([map { $_->{content} } @{ decode(sent('openai'))->{messages} }],
    ['from the directive', 'hello', 'other'], 'a rule of its own for a domain');
ask("/plugin/$chat", { template => 'greet', properties => { who => 'Bo' } });
like(sent('openai'), qr/"Hi Bo"/, 'a template of Higress');
my $flood = 'word ' x 300;
check_error(ask("/plugin/$chat", $body =~ s/hello/$flood/r), 413, qr/length is 200 tokens/,
    'a limit of Higress');

# A limit

my $words = join ' ', ('word') x 60;
is(ask("/short/$chat?who=x", $body)->{status}, 200, 'a short question');
check_error(ask("/short/$chat?who=x", $body =~ s/hello/$words/r), 413,
    qr/maximum context length is 60 tokens/, 'a long one');
$up->clear;
check_error(ask("/short/$chat?who=" . 'y' x 400, $body), 413,
    qr/maximum context length/, 'what is added counts');
is(scalar(my @none = $up->requests), 0, 'nobody is asked');

# What fails the start

my %wrong = (
    'prepend tool x' => qr/ai_proxy_prompt_prepend: invalid role "tool"/,
    'prepend user ""' => qr/ai_proxy_prompt_prepend: the text is empty/,
    'append user $nobody_knows' => qr/unknown "nobody_knows" variable/,
    'append user "${x"' => qr/the closing bracket in "x" variable is missing/,
    'replace "" x' => qr/ai_proxy_prompt_replace: the pattern is empty/,
    'replace ( x regex' => qr/ai_proxy_prompt_replace: invalid regex "\("/,
    'replace a $1 regex' => qr/ai_proxy_prompt_replace: no group "1"/,
    'replace a b role=me' => qr/ai_proxy_prompt_replace: invalid role "me"/,
    'replace a b regexp' => qr/invalid parameter "regexp"/,
    'context_limit many' => qr/ai_proxy_context_limit: a number of tokens, or/,
    'context_limit 9 ratio=0' => qr/invalid parameter "ratio=0"/,
    'template a /no/such/file' => qr{cannot open file "/no/such/file": No such file},
    "template a '{\"a\":}'" => qr/ai_proxy_prompt_template: template "a" is no JSON/,
    "template a '{}';\nai_proxy_prompt_template a '{}'" => qr/"a" is duplicate/,
);
for my $line (sort keys %wrong) {
    my $directive = $line =~ /^context/ ? $line : "prompt_$line";
    my $bad = Gateway->new(http => zone()
        . "ai_proxy_provider p { type mock; }\n"
        . "ai_proxy_$directive;\n",
        server => 'location / { ai_proxy_pass p; }');
    my ($status, $said) = $bad->check;
    is($status, 1, "refused: $line");
    my ($emerg) = grep { /\[emerg\]/ } split /\n/, $said;
    like($emerg // '', $wrong{$line}, 'saying why');
    next if $line =~ /nobody_knows|\{x/; # nginx says that at the end
    my ($number) = ($emerg // '') =~ m{ in \S*nginx\.conf:(\d+)};
    my @text = split /\n/, Gateway::slurp($bad->{conf});
    like($text[($number // 1) - 1], qr/ai_proxy_(?:prompt|context)/, 'and where');
}

done($gw, $up);
