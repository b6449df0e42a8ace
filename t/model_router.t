#!/usr/bin/perl

# The plugin model-router and its directives: provider/model, the model in a
# header, a model by what is asked; JSON bodies and forms.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(a => { json => chat_answer('a') },
    b => { json => chat_answer('b') });

my $gw = Gateway->new(
    http => zone()
        . provider(a => openai => $up->url('a'))
        . provider(b => openai => $up->url('b')) . <<'EOF',
ai_proxy_route to_b { match b/*; provider b; }
ai_proxy_route to_a { provider a; }
log_format routed '$http_x_model $http_x_provider $http_x_higress_llm_model';
EOF
    access_log => '',
    server => <<'EOF');
access_log %%DIR%%/logs/access.log routed;
location /file/ {
    ai_proxy_plugin model-router router.yaml;
    ai_proxy_pass to_b to_a;
}
location /paths/ {
    ai_proxy_plugin model-router paths.yaml;
    ai_proxy_pass a;
}
location /native/ {
    ai_proxy_model_router provider_header=x-provider model_header=x-model
        auto=auto default=usual;
    ai_proxy_model_rule (?i)draw image-model;
    ai_proxy_pass to_b to_a;
}
location /off/ { ai_proxy_pass a; }
EOF
$gw->write_file('conf/router.yaml', <<'EOF');
addProviderHeader: x-provider
modelToHeader: x-model
autoRouting:
  enable: true
  defaultModel: qwen-turbo
  rules:
  - pattern: (?i)(draw|paint)
    model: qwen-vl-max
EOF
$gw->write_file('conf/paths.yaml', <<'EOF');
modelToHeader: x-model
enableOnPathSuffix: [/embeddings, /transcriptions]
EOF
$gw->start;

my $lines = 0;

# The model that was sent, the provider, and the headers in the log.
sub sent {
    my ($location, $body, %more) = @_;
    $up->clear;
    my $reply = $gw->client->post(
        "/$location/" . ($more{path} // 'v1/chat/completions'), $body,
        headers => $more{headers} // []);
    return "status $reply->{status}: $reply->{body}"
        if $reply->{status} != 200;
    my ($name) = grep { $up->last_request($_) } qw(a b);
    my @log = $gw->log_lines('access.log', ++$lines);
    my $request = $up->last_request($name);
    my $model = $more{raw} ? '' : decode($request->{body})->{model};
    return ("$name $model", $log[-1], $request);
}

my ($to, $log, $request) = sent('file', chat_body(model => 'b/m/x'));
is($to, 'b m/x', 'split at the first slash, and routed by the whole name');
is($log, 'b/m/x b -', 'both headers');
is(join(' ', map { lc $_->[0] eq 'x-provider' ? $_->[1] : () }
    @{ $request->{headers} }), 'b', 'which go on');
($to, $log) = sent('file', chat_body(model => 'plain'));
is($to, 'a plain', 'no slash');
is($log, 'plain - -', 'no provider');
($to, $log) = sent('file', chat_body(model => 'plain'),
    headers => [['X-Model', 'forged']]);
is($log, 'plain - -', "a client's own header is replaced");

($to, $log) = sent('file', encode({ model => 'higress/auto', messages => [
    { role => 'user', content => 'draw this' },
    { role => 'assistant', content => 'no' },
    { role => 'user', content => [{ type => 'text', text => 'first' },
        { type => 'text', text => 'please PAINT it' }] }] }));
is($to, 'a qwen-vl-max', 'a model by the last text of the user');
is($log, '- - qwen-vl-max', 'in the header of its own');
($to, $log) = sent('file', chat_body(model => 'higress/auto'));
is($to, 'a qwen-turbo', 'the default');

my $boundary = 'xyz';
my $form = join "\r\n", "--$boundary",
    'Content-Disposition: form-data; name="model"', '', 'b/whisper',
    "--$boundary",
    'Content-Disposition: form-data; name="file"; filename="a.mp3"', '',
    'bytes', "--$boundary--", '';
my @form = (path => 'v1/audio/transcriptions', raw => 1, headers =>
    [['Content-Type', "multipart/form-data; boundary=$boundary"]]);
($to, $log, $request) = sent('native', $form, @form);
is($to, 'b ', 'a form');
is($log, 'b/whisper b -', 'its headers');
like($request->{body}, qr/name="model"\r\n\r\nwhisper\r\n--$boundary\r\n/,
    'its model is rewritten, its boundary kept');

($to, $log) = sent('paths', chat_body(model => 'm'));
is($log, '- - -', 'a path that is not looked at');
($to, $log) = sent('paths', $form, @form);
is($log, 'b/whisper - -', 'one that is');

($to, $log) = sent('native', chat_body(model => 'b/m'));
is("$to, $log", 'b m, b/m b -', 'the directive does the same');
($to) = sent('native', encode({ model => 'auto',
    messages => [{ role => 'user', content => 'Draw!' }] }));
is($to, 'a image-model', 'a rule of a directive');
($to) = sent('native', chat_body(model => 'auto'));
is($to, 'a usual', 'its default');
($to, $log) = sent('off', chat_body(model => 'x/y'));
is("$to, $log", 'a x/y, - - -', 'nothing elsewhere');

# Wrong ones.

my $p = 'ai_proxy_pass p;';
my @wrong = (
    ["ai_proxy_model_router; $p" => qr/invalid number of arguments/],
    ["ai_proxy_model_router nosuch=1; $p" =>
        qr/unknown parameter "nosuch=1" in "ai_proxy_model_router"/],
    ["ai_proxy_model_router model_header=; $p" =>
        qr/invalid value "" in "model_header": the name of a header/],
    ["ai_proxy_model_router auto=x; ai_proxy_model_rule ( m; $p" =>
        qr/ai_proxy_model_rule: invalid regex "\("/],
    ["ai_proxy_model_rule a m; $p" => qr/needs ai_proxy_model_router/],
    ["ai_proxy_model_router auto=x; ai_proxy_model_router auto=y; $p" =>
        qr/"ai_proxy_model_router" directive is duplicate/],
);
for my $case (@wrong) {
    my ($text, $expected) = @$case;
    my $bad = Gateway->new(http => 'ai_proxy_provider p { type mock; }',
        server => "location / {\n$text\n}");
    my ($code, $words) = $bad->check;
    isnt($code, 0, "wrong: $text");
    like($words, $expected, 'and says why');
    like($words, qr{nginx\.conf:\d+}, 'and where');
}

done();
